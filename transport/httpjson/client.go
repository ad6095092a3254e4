package httpjson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"balsa/raft"
	"balsa/transport"
	"balsa/wire"
)

// timePerByte is what a request may take longer for each byte of its body: about a second for a MiB. A large
// command that needs more than Config.Timeout, through a slow network or on a busy machine, would need it
// each time that it is sent again, and nothing behind it would ever be committed.
const timePerByte = time.Microsecond

// maxResponse bounds the body of a response in bytes: none carries data.
const maxResponse = 64 << 10

func newClient(timeout time.Duration) *http.Client {
	// Dialling gets half of a request's time: so a peer that cannot be reached is told from one that is slow.
	dialer := net.Dialer{Timeout: timeout / 2}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         dialer.DialContext, // and no proxy, whatever the environment says
			MaxIdleConnsPerHost: bulkWorkers + reservedWorkers,
			IdleConnTimeout:     idleTimeout / 2, // the server must not hang up first
			DisableCompression:  true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post sends a request and returns its response, without a message when there is none to come. An error wraps
// one of package transport's.
func (t *Transport) post(p *peer, m parcel) (raft.Envelope, error) {
	if p.routed.Err() != nil || !time.Now().Before(m.deadline) {
		return raft.Envelope{}, fmt.Errorf("%w: it waited too long to be sent", transport.ErrTimeout)
	}
	body := wire.AppendJSON(nil, m.envelope)
	ctx, cancel := context.WithDeadline(p.routed, m.deadline.Add(time.Duration(len(body))*timePerByte))
	defer cancel()
	if int64(len(body)) > t.config.MaxBody {
		return raft.Envelope{}, fmt.Errorf("%w: %d bytes of JSON", transport.ErrTooLarge, len(body))
	}
	name := wire.Name(m.envelope.Message)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.address+prefix+name,
		bytes.NewReader(body))
	if err != nil {
		return raft.Envelope{}, fmt.Errorf("%w: %v", transport.ErrUnreachable, err)
	}
	request.Header.Set("Content-Type", "application/json")
	// The key without a value is not sent; it tells net/http that the request may be repeated when a
	// connection from before the peer's restart turns out to be dead. Raft does not mind a message that
	// arrives twice.
	request.Header["Idempotency-Key"] = nil
	// A connection that was had even once may have carried the message, whatever became of it afterwards.
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	answer, err := p.client.Do(request.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		err = failure(err)
		if !connected.Load() {
			err = &transport.Undelivered{Envelope: m.envelope, Cause: err}
		}
		return raft.Envelope{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse))
	if err != nil {
		return raft.Envelope{}, failure(err)
	}
	return t.interpret(p, m.envelope, answer.StatusCode, text)
}

// failure says why there is no answer.
func failure(err error) error {
	var operation *net.OpError
	var network net.Error
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err // without the method and the address, which the caller knows
	}
	switch {
	case errors.As(err, &operation) && operation.Op == "dial":
		return fmt.Errorf("%w: %v", transport.ErrUnreachable, operation.Err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("%w: no answer", transport.ErrTimeout)
	}
	return fmt.Errorf("%w: %v", transport.ErrUnreachable, err)
}

// interpret turns the answer to a POST into a response or an error.
func (t *Transport) interpret(
	p *peer, request raft.Envelope, status int, text []byte,
) (raft.Envelope, error) {
	switch status {
	case http.StatusAccepted:
		return raft.Envelope{}, nil
	case http.StatusOK:
		e, err := wire.DecodeJSON(wire.Name(request.Message)+"_response", text)
		if err != nil {
			return e, fmt.Errorf("%w: its answer makes no sense: %v", transport.ErrRefused, err)
		}
		return e, nil
	case http.StatusForbidden:
		if e, err := wire.DecodeJSON("identity_refused", text); err == nil {
			return t.address(e, p, request), nil
		}
	case http.StatusServiceUnavailable:
		return raft.Envelope{}, fmt.Errorf("%w: %s", transport.ErrUnreachable, sentence(status, text))
	case http.StatusGatewayTimeout:
		return raft.Envelope{}, fmt.Errorf("%w: %s", transport.ErrTimeout, sentence(status, text))
	}
	return raft.Envelope{}, fmt.Errorf("%w: %s", transport.ErrRefused, sentence(status, text))
}

// address completes a refusal, whose sender may not be willing to say who it is.
func (t *Transport) address(e raft.Envelope, p *peer, request raft.Envelope) raft.Envelope {
	if e.From.Node == raft.None {
		e.From.Node = p.id
	}
	if e.To == raft.None {
		e.To, e.Sequence = t.config.Self.Node, request.Sequence
	}
	return e
}

// sentence returns what an error body says, or the status in words when it says nothing.
func sentence(status int, text []byte) string {
	var body errorBody
	if err := json.Unmarshal(text, &body); err != nil || body.Error == "" {
		return http.StatusText(status)
	}
	return body.Error
}
