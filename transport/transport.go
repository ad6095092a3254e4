// Package transport says what carries messages between servers: the contract that memory, httpjson and tcp fulfil and
// that transporttest checks. Raft survives whatever a transport loses, delays, repeats or reorders; it does not survive
// one that blocks its sender or alters a message.
package transport

import (
	"errors"

	"balsa/raft"
)

// Why a message did not arrive, as far as its sender can know. None of them says that it was not delivered.
var (
	// ErrUnreachable says that no connection to the receiver could be had, or that it broke.
	ErrUnreachable = errors.New("unreachable")
	// ErrTimeout says that the receiver took the message, perhaps, and did not answer in time.
	ErrTimeout = errors.New("timeout")
	// ErrUnknownNode says that the transport has no address for the receiver.
	ErrUnknownNode = errors.New("unknown node")
	// ErrFull says that too many messages to this receiver are waiting; this one was dropped.
	ErrFull = errors.New("queue full")
	// ErrClosed says that the transport was closed.
	ErrClosed = errors.New("transport closed")
)

// Handler takes what a transport receives. Its methods are called from the transport's goroutines, concurrently, and may
// block: a transport must bear that without delaying Send.
type Handler interface {
	// Receive takes a message. The handler decides whether to believe it; the transport has not looked at its sender's
	// identity.
	Receive(raft.Envelope)
	// Failed reports that a message to a node was lost, and why: an error that wraps one of this package's.
	Failed(to raft.NodeID, err error)
}

// Transport carries messages. Its methods may be called concurrently.
type Transport interface {
	// Start begins to listen and to deliver to the handler. An error means that nothing was started. It is called once.
	Start(Handler) error
	// Send takes a message for Envelope.To and returns at once: it never waits for a network. The queue to each receiver
	// is bounded; when it is full the message is dropped. An error (ErrUnknownNode, ErrFull, ErrClosed) says that the
	// message will not be delivered; nil promises nothing, and later failures reach Handler.Failed.
	Send(raft.Envelope) error
	// Close stops listening and delivering, waits for the transport's goroutines and loses what is on its way. After it
	// returns the handler is not called again. A handler that is blocked in Receive must be released by its owner first
	// or meanwhile.
	Close() error
}
