// Package transport says what carries messages between servers: the contract that memory, httpjson and tcp
// fulfil and that transporttest checks. Raft survives whatever a transport loses, delays, repeats or
// reorders; it does not survive one that blocks its sender or alters a message.
package transport

import (
	"errors"

	"balsa/raft"
)

// Why a message did not arrive, as far as its sender can know. None of them says that it was not delivered,
// unless Send returned it.
var (
	// ErrUnreachable says that no connection to the receiver could be had, or that it broke.
	ErrUnreachable = errors.New("unreachable")
	// ErrTimeout says that the receiver took the message, perhaps, and did not answer in time.
	ErrTimeout = errors.New("timeout")
	// ErrRefused says that something answered at the receiver's address and did not take the message.
	ErrRefused = errors.New("refused")
	// ErrUnknownNode says that the transport has no address for the receiver.
	ErrUnknownNode = errors.New("unknown node")
	// ErrFull says that too many messages to this receiver are waiting; this one was dropped.
	ErrFull = errors.New("queue full")
	// ErrTooLarge says that the message exceeds what the transport carries in one piece. Sending it again is
	// of no use.
	ErrTooLarge = errors.New("message too large")
	// ErrClosed says that the transport was closed, or not yet started.
	ErrClosed = errors.New("transport closed")
)

// Undelivered is the error for a message of which not a byte has left: unlike after every other failure,
// the receiver certainly has not got it. It unwraps to its cause.
type Undelivered struct {
	Envelope raft.Envelope
	Cause    error
}

// Error says why.
func (u *Undelivered) Error() string { return u.Cause.Error() }

// Unwrap returns the cause.
func (u *Undelivered) Unwrap() error { return u.Cause }

// Handler takes what a transport receives. Its methods are called from the transport's goroutines,
// concurrently, and may block: a transport must bear that without delaying Send. They must not call Close.
type Handler interface {
	// Receive takes a message. The handler decides whether to believe it; the transport has not looked at its
	// sender's identity. The message is the handler's: nobody else holds its memory. The sequence of a
	// request is for the response to echo and means nothing else: a transport that pairs requests with
	// responses may number a request anew where it is received, and gives the response the number that the
	// requester knows.
	Receive(raft.Envelope)
	// Failed reports that a message to a node was lost, and why: an error that wraps one of this package's,
	// and an Undelivered if it is certain that the message did not arrive. A hint only: not every loss is
	// reported, and a message that was reported may have arrived.
	Failed(to raft.NodeID, err error)
}

// Transport carries messages. Its methods may be called concurrently.
type Transport interface {
	// Start begins to listen and to deliver to the handler. An error means that nothing was started. It is
	// called once.
	Start(Handler) error
	// Route says which other nodes are reached from now on, and at which addresses; a transport that is not
	// told reaches those that it was made with. What still waits for a node that is no longer among them, or
	// has moved, is lost, and the connections to where it was are closed. It returns at once, may be called
	// before Start, and does nothing after Close. The map stays the caller's. An address that is none is
	// found out when it is dialled: the node is unreachable.
	//
	// Who may speak to this node is another matter: requests of others are received, and answered.
	Route(peers map[raft.NodeID]string)
	// Send takes a message for Envelope.To and returns at once: it never waits for a network. The queue to
	// each receiver is bounded; when it is full the message is dropped. An error says that the message will
	// not be delivered: ErrUnknownNode, ErrFull, ErrTooLarge, ErrClosed, or ErrTimeout for a response whose
	// request no longer waits. Nil promises nothing, and later failures reach Handler.Failed. What the
	// message refers to must not be written to any more.
	//
	// A response whose sequence is 0 answers no request: a follower reports with it that it takes entries
	// again. It is carried as a request is, and received with sequence 0.
	Send(raft.Envelope) error
	// Close stops listening and delivering, waits for the transport's goroutines and loses what is on its
	// way. After it returns the handler is not called again. A handler that is blocked in Receive must be
	// released by its owner first or meanwhile. To close once more does nothing.
	Close() error
}
