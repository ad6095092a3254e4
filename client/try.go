package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

// maxAnswer bounds what is read of an answer's body, in bytes: far above the largest value.
const maxAnswer = 8 << 20

// answer is what a node said when it did what it was asked.
type answer struct {
	header   http.Header
	body     []byte
	endpoint string
	servedBy uint64
}

// try sends a request to one endpoint, once.
func (c *Client) try(ctx context.Context, endpoint string, call call) (*answer, *Error) {
	ctx, cancel := context.WithTimeout(ctx, c.tryTimeout(call))
	defer cancel()
	if ctx.Err() != nil {
		return nil, unreachable(endpoint, ctx.Err())
	}
	var sent sentinel
	request, err := newRequest(httptrace.WithClientTrace(ctx, sent.trace()), endpoint, call)
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied,
			Endpoint: endpoint, Cause: err}
	}
	response, err := c.http.Do(request)
	if err != nil && sent.nothing() {
		return nil, unreachable(endpoint, err)
	}
	if err != nil {
		return nil, broken(call, endpoint, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, broken(call, endpoint, err)
	}
	return judge(call, endpoint, response, body)
}

// sentinel watches whether anything of a request can have left: nothing can before a connection is had, and
// from then on everything may have, whatever the error says.
type sentinel struct{ asked, got atomic.Bool }

func (s *sentinel) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { s.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { s.got.Store(true) },
	}
}

// nothing is sure only if the transport is one that reports at all.
func (s *sentinel) nothing() bool { return s.asked.Load() && !s.got.Load() }

func (c *Client) tryTimeout(call call) time.Duration {
	switch {
	case call.long:
		return longTry
	case c.perTry > 0:
		return c.perTry
	case call.write:
		return writeTry
	}
	return readTry
}

func newRequest(ctx context.Context, endpoint string, call call) (*http.Request, error) {
	var body io.Reader
	if call.body != nil {
		body = bytes.NewReader(call.body)
	}
	request, err := http.NewRequestWithContext(ctx, call.method, endpoint+call.path, body)
	if err == nil && call.body != nil {
		request.Header.Set("Content-Type", "application/octet-stream")
	}
	if err == nil && call.key != "" {
		request.Header.Set(HeaderIdempotencyKey, call.key)
	}
	return request, err
}

// judge tells answers from refusals, and both from what no node of ours would say.
func judge(call call, endpoint string, r *http.Response, body []byte) (*answer, *Error) {
	if r.StatusCode == http.StatusRequestHeaderFieldsTooLarge { // HTTP itself says so
		return nil, &Error{
			Code:     CodeTooLarge,
			Message:  "the key, or another part of the request's head, is too long",
			Outcome:  NotApplied,
			Status:   r.StatusCode,
			Endpoint: endpoint,
		}
	}
	servedBy, err := strconv.ParseUint(r.Header.Get(HeaderServedBy), 10, 64)
	if err != nil || len(body) > maxAnswer {
		return nil, foreign(call, endpoint, r.StatusCode, "no balsa node answers there")
	}
	if r.StatusCode >= 200 && r.StatusCode < 300 {
		return &answer{header: r.Header, body: body, endpoint: endpoint, servedBy: servedBy}, nil
	}
	return nil, refused(call, endpoint, r, body)
}

// refused reads the error body of a node.
func refused(call call, endpoint string, r *http.Response, body []byte) *Error {
	var b ErrorBody
	if err := json.Unmarshal(body, &b); err != nil || b.Error.Code == "" {
		return foreign(call, endpoint, r.StatusCode, "the answer is no error body")
	}
	d := b.Error
	e := &Error{
		Code: d.Code, Message: d.Message, Outcome: call.outcome(d.Outcome), Status: r.StatusCode,
		Endpoint: endpoint, Node: d.Node, Term: d.Term,
		RetryAfter: time.Duration(d.RetryAfterMS) * time.Millisecond,
	}
	e.Check = b.Check
	if d.Leader != nil {
		e.Leader, e.LeaderURL = d.Leader.ID, d.Leader.URL
	}
	return e
}

// outcome believes only the words it knows, and that a read changed nothing.
func (c call) outcome(claimed Outcome) Outcome {
	if !c.write || claimed == NotApplied {
		return NotApplied
	}
	return OutcomeUnknown
}

// unreachable is a connection that could not be had.
func unreachable(endpoint string, err error) *Error {
	return &Error{Code: CodeUnreachable, Message: plain(err), Outcome: NotApplied,
		Endpoint: endpoint, Cause: err}
}

// broken is a connection that was there and gave no whole answer.
func broken(call call, endpoint string, err error) *Error {
	return &Error{Code: CodeBroken, Message: plain(err), Outcome: call.outcome(OutcomeUnknown),
		Endpoint: endpoint, Cause: err}
}

// foreign is an answer that is not a node's. One that blames the request has not carried it out. A proxy's
// 502 and the like say nothing about what happened behind it, so they count as a broken connection. And a
// 200 from a stranger is no acknowledgement.
func foreign(call call, endpoint string, status int, why string) *Error {
	e := &Error{Code: CodeForeign, Message: fmt.Sprintf("%s (HTTP status %d)", why, status),
		Outcome: call.outcome(OutcomeUnknown), Status: status, Endpoint: endpoint}
	switch {
	case status >= 500:
		e.Code = CodeBroken
	case status >= 400:
		e.Outcome = NotApplied
	}
	return e
}

// plain leaves out the method and the address that net/http puts in front: the key is in it, and the
// endpoint is named already.
func plain(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner.Error()
	}
	return err.Error()
}
