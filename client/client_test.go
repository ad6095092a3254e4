package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// node is a fake node: it counts requests and answers them as its script says.
type node struct {
	*httptest.Server
	id     uint64
	answer http.HandlerFunc
	asked  atomic.Int64
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.asked.Add(1)
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set(HeaderServedBy, fmt.Sprint(n.id))
	n.answer(w, r)
}

func start(t *testing.T, id uint64, answer http.HandlerFunc) *node {
	n := &node{id: id, answer: answer}
	n.Server = httptest.NewServer(n)
	t.Cleanup(n.Close)
	return n
}

func refuse(status int, d ErrorDetail) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		d := d
		d.Node = 1
		fmt.Sscan(w.Header().Get(HeaderServedBy), &d.Node)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(ErrorBody{Error: d})
	}
}

func accept(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		HeaderRevision: "9", "ETag": `"8"`, HeaderCreateRevision: "7", HeaderVersion: "2",
		HeaderConsistency: ConsistencyLeader,
	} {
		w.Header().Set(name, value)
	}
	switch r.Method {
	case http.MethodGet:
		_, _ = io.WriteString(w, "value")
	case http.MethodPut:
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(PutBody{Created: true, Revision: 9})
	case http.MethodDelete:
		_ = json.NewEncoder(w).Encode(DeleteBody{Deleted: 1, Revision: 9})
	}
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func follower(leader uint64) http.HandlerFunc {
	return refuse(503, ErrorDetail{Code: CodeLeaderChanged, Outcome: NotApplied, Leader: &Leader{ID: leader}})
}

// dead returns an address at which nobody listens.
func dead(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func connect(t *testing.T, endpoints ...string) *Client {
	c, err := New(endpoints)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAnswers(t *testing.T) {
	n := start(t, 5, accept)
	c := connect(t, n.URL)
	item, err := c.Get(t.Context(), "k")
	want := Item{[]byte("value"), 7, 8, 2, 9, ConsistencyLeader, 5, time.Time{}}
	if diff := cmp.Diff(want, item); diff != "" || err != nil {
		t.Errorf("Get: %v\n%s", err, diff)
	}
	if put, err := c.Put(t.Context(), "k", nil); put != (PutResult{9, true}) || err != nil {
		t.Errorf("Put: %+v, %v", put, err)
	}
	if deleted, err := c.Delete(t.Context(), "k"); deleted != (DeleteResult{9, 1}) || err != nil {
		t.Errorf("Delete: %+v, %v", deleted, err)
	}
}

func TestSendsKeyAndValueAsTheyAre(t *testing.T) {
	type sent struct{ method, path, body string }
	var got atomic.Pointer[sent]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), PathKV))
		if err != nil {
			t.Error(err)
		}
		got.Store(&sent{r.Method, key, string(body)})
		w.Header().Set(HeaderServedBy, "1")
		accept(w, r)
	}))
	defer s.Close()
	c := connect(t, s.URL)
	for _, key := range []string{
		"k", "a/b", "a//b", "/", "//", "a/", ".", "..", "../..", "a/./b", "%2F", "%00", "\x00", "a?b=c#d",
		"a b+c", "ü", "\xff\xfe", "a;b", ":@!$&'()*,=", strings.Repeat("\xff", 4096),
	} {
		value := "\x00\xff" + key
		if _, err := c.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatalf("%.20q: %v", key, err)
		}
		want := &sent{"PUT", key, value}
		if diff := cmp.Diff(want, got.Load(), cmp.AllowUnexported(sent{})); diff != "" {
			t.Errorf("%.20q arrived as another request\n%s", key, diff)
		}
	}
	paths := map[string]string{"..": "/v1/kv/%2E%2E", ".": "/v1/kv/%2E", "a/b": "/v1/kv/a%2Fb"}
	for key, path := range paths {
		if got := KeyPath(PathKV, key); got != path {
			t.Errorf("KeyPath of %q is %s, want %s", key, got, path)
		}
	}
}

func TestFollowsTheHint(t *testing.T) {
	leader := start(t, 3, accept)
	one, two := start(t, 1, follower(3)), start(t, 2, follower(3))
	c := connect(t, one.URL, two.URL, leader.URL)
	for range 10 {
		if _, err := c.Put(t.Context(), "k", nil); err != nil {
			t.Fatal(err)
		}
	}
	if one.asked.Load() != 1 || two.asked.Load() != 1 || leader.asked.Load() != 10 {
		t.Errorf("asked %d, %d and the leader %d times: it is to be remembered",
			one.asked.Load(), two.asked.Load(), leader.asked.Load())
	}
	c.next = 0 // as if node 1 had led meanwhile; by now the client knows which endpoint is node 3
	if _, err := c.Put(t.Context(), "k", nil); err != nil || two.asked.Load() != 1 {
		t.Errorf("%v; node 2 was asked %d times although node 1 named 3", err, two.asked.Load())
	}
	_, err := c.Put(t.Context(), "k", nil)
	if err != nil || one.asked.Load() != 2 || two.asked.Load() != 1 {
		t.Errorf("%v; the leader is to be remembered after a jump too", err)
	}
}

// TestLearnsFromRefusals: a node that cannot serve yet has still said who it is.
func TestLearnsFromRefusals(t *testing.T) {
	var three *node
	electing := refuse(503, ErrorDetail{Code: CodeNoLeader, Outcome: NotApplied})
	three = start(t, 3, func(w http.ResponseWriter, r *http.Request) {
		if three.asked.Load() == 1 {
			electing(w, r)
			return
		}
		accept(w, r)
	})
	one, two := start(t, 1, follower(3)), start(t, 2, follower(3))
	c := connect(t, one.URL, two.URL, three.URL)
	if _, err := c.Put(t.Context(), "k", nil); err != nil || two.asked.Load() != 1 {
		t.Errorf("%v; node 2 was asked %d times although node 3 was known", err, two.asked.Load())
	}
}

func TestBeginsElsewhereAfterAFailure(t *testing.T) {
	gone, n := start(t, 1, hangUp), start(t, 2, accept)
	c := connect(t, gone.URL, n.URL)
	if _, err := c.Put(t.Context(), "k", nil); !errors.Is(err, ErrOutcomeUnknown) {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), "k", nil); err != nil || gone.asked.Load() != 1 {
		t.Errorf("%v; the node that failed was asked %d times", err, gone.asked.Load())
	}
}

func TestGoesOnWhenNobodyListens(t *testing.T) {
	n := start(t, 1, accept)
	c := connect(t, dead(t), dead(t), n.URL)
	if _, err := c.Put(t.Context(), "k", nil); err != nil {
		t.Errorf("Put: %v: a refused connection has sent nothing", err)
	}
}

// TestRepeats holds the rule that everything rests on: what is asked again, and how often.
func TestRepeats(t *testing.T) {
	slow := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	tests := map[string]struct {
		answer     http.HandlerFunc
		put, get   bool // asked again
		putOutcome Outcome
		class      error
	}{
		"no leader": {refuse(503, ErrorDetail{Code: CodeNoLeader, Outcome: NotApplied}),
			true, true, NotApplied, ErrUnavailable},
		"follower": {follower(9), true, true, NotApplied, ErrUnavailable},
		"overloaded": {refuse(429, ErrorDetail{Code: CodeOverloaded, Outcome: NotApplied}),
			true, true, NotApplied, ErrUnavailable},
		"lost leadership": {refuse(503, ErrorDetail{Code: CodeLeaderChanged, Outcome: OutcomeUnknown}),
			false, true, OutcomeUnknown, ErrUnavailable},
		"a timeout": {refuse(504, ErrorDetail{Code: CodeTimeout, Outcome: OutcomeUnknown}),
			false, true, OutcomeUnknown, ErrUnavailable},
		"an outcome that nobody knows": {refuse(503, ErrorDetail{Code: CodeNoLeader, Outcome: "perhaps"}),
			false, true, OutcomeUnknown, ErrUnavailable},
		"a hang-up": {hangUp, false, true, OutcomeUnknown, ErrUnavailable},
		"silence":   {slow, false, true, OutcomeUnknown, ErrUnavailable},
		"a full disk": {refuse(507, ErrorDetail{Code: CodeNoSpace, Outcome: NotApplied}),
			false, false, NotApplied, nil},
		"too large": {refuse(413, ErrorDetail{Code: CodeTooLarge, Outcome: NotApplied}),
			false, false, NotApplied, ErrBadRequest},
		"not found": {refuse(404, ErrorDetail{Code: CodeKeyNotFound, Outcome: NotApplied}),
			false, false, NotApplied, ErrNotFound},
		"a failed precondition": {refuse(412, ErrorDetail{Code: CodePreconditionFailed, Outcome: NotApplied}),
			false, false, NotApplied, ErrPreconditionFailed},
	}
	calls := map[string]func(*Client, context.Context) error{
		"Put":    func(c *Client, ctx context.Context) error { _, err := c.Put(ctx, "k", nil); return err },
		"Delete": func(c *Client, ctx context.Context) error { _, err := c.Delete(ctx, "k"); return err },
		"Get":    func(c *Client, ctx context.Context) error { _, err := c.Get(ctx, "k"); return err },
	}
	for name, test := range tests {
		for verb, call := range calls {
			again, outcome := test.put, test.putOutcome
			if verb == "Get" {
				again, outcome = test.get, NotApplied
			}
			onPipes(t, func(t *testing.T, p *pipes) {
				n := &node{id: 1, answer: test.answer}
				p.serve("a:1", n)
				err := call(p.client(time.Second, 200*time.Millisecond, "a:1"), t.Context())
				var e *Error
				if !errors.As(err, &e) || e.Outcome != outcome || e.Code.class() != test.class {
					t.Errorf("%s, %s: %v; want outcome %v and class %v", name, verb, err, outcome, test.class)
				}
				if errors.Is(err, ErrOutcomeUnknown) != (outcome == OutcomeUnknown) {
					t.Errorf("%s, %s: errors.Is(%v, ErrOutcomeUnknown)", name, verb, err)
				}
				if got := n.asked.Load(); got < 1 || (got > 1) != again {
					t.Errorf("%s, %s: asked %d times", name, verb, got)
				}
			})
		}
	}
}

// TestStrangers: whoever answers without being a node acknowledges nothing.
func TestStrangers(t *testing.T) {
	for _, test := range []struct {
		status  int
		code    Code
		outcome Outcome
	}{
		{200, CodeForeign, OutcomeUnknown},
		{201, CodeForeign, OutcomeUnknown},
		{307, CodeForeign, OutcomeUnknown},
		{404, CodeForeign, NotApplied},
		{502, CodeBroken, OutcomeUnknown},
	} {
		asked := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, `{"created":true,"revision":1}`)
		}))
		_, err := connect(t, s.URL).Put(t.Context(), "k", nil)
		s.Close()
		var e *Error
		if !errors.As(err, &e) || e.Code != test.code || e.Outcome != test.outcome || asked != 1 {
			t.Errorf("%d: %v, asked %d times", test.status, err, asked)
		}
	}
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no headers": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "value") },
		"no JSON":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"too much": func(w http.ResponseWriter, r *http.Request) {
			accept(w, r)
			_, _ = w.Write(make([]byte, maxAnswer))
		},
		"another JSON": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"error":"x"}`, 400) },
	} {
		_, err := connect(t, start(t, 1, answer).URL).Get(t.Context(), "k")
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeForeign {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWaitsForALeader(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		refusing := refuse(503, ErrorDetail{Code: CodeNoLeader, Outcome: NotApplied, RetryAfterMS: 1})
		one := &node{id: 1}
		one.answer = func(w http.ResponseWriter, r *http.Request) {
			if one.asked.Load() <= 20 {
				refusing(w, r)
				return
			}
			accept(w, r)
		}
		p.serve("a:1", one)
		began := time.Now()
		_, err := p.client(time.Minute, time.Second, "a:1", "nobody:1").Put(t.Context(), "k", nil)
		took := time.Since(began)
		// Sixteen of the twenty pauses are of the longest kind, of which at least half is waited.
		if err != nil || one.asked.Load() != 21 || took < 16*longestPause/2 || took > 20*longestPause {
			t.Errorf("%v after %d tries and %v", err, one.asked.Load(), took)
		}
	})
}

// TestPauses: they grow, a node may ask for longer ones, and neither goes beyond the longest.
func TestPauses(t *testing.T) {
	onPipes(t, func(t *testing.T, _ *pipes) {
		for _, test := range []struct {
			round           int
			suggested, want time.Duration // at least half of it is waited
		}{
			{0, 0, firstPause}, {1, 0, 2 * firstPause}, {8, 0, longestPause}, {1 << 40, 0, longestPause},
			{0, 100 * time.Millisecond, 100 * time.Millisecond}, {0, time.Hour, longestPause},
			{0, -time.Hour, firstPause}, {4, -time.Hour, longestPause}, // for want of a leader
		} {
			began, told := time.Now(), &Error{RetryAfter: test.suggested}
			if test.suggested < 0 {
				told = &Error{Code: CodeNoLeader, RetryAfter: -test.suggested}
			}
			again := pause(t.Context(), pauseAfter(test.round, told))
			if took := time.Since(began); !again || took < test.want/2 || took > test.want {
				t.Errorf("round %d, suggested %v: %v", test.round, test.suggested, took)
			}
		}
	})
}

// TestBoundsOfTheWaiting: the context's or the patience's, whichever comes first.
func TestBoundsOfTheWaiting(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		n := &node{id: 1, answer: refuse(503, ErrorDetail{Code: CodeNoLeader, Outcome: NotApplied})}
		p.serve("a:1", n)
		const short, long = time.Second, 3 * time.Second
		for patience, want := range map[time.Duration]time.Duration{time.Hour: long, short: short} {
			began := time.Now()
			bounded, cancel := context.WithTimeout(t.Context(), long)
			_, err := p.client(patience, time.Second, "a:1", "nobody:1").Put(bounded, "k", nil)
			cancel()
			var e *Error
			if !errors.As(err, &e) || e.Code != CodeNoLeader || e.Outcome != NotApplied {
				t.Errorf("%v: the node's word says more than the other one's silence", err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("gave up after %v, not %v", took, want)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		asked := n.asked.Load()
		_, err := p.client(time.Hour, time.Second, "a:1").Put(ended, "k", nil)
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) || n.asked.Load() != asked {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
}

// blind is a transport that reports nothing to httptrace.
type blind struct{}

func (blind) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("something broke")
}

func TestTransportWithoutTraceMakesOutcomesUnknown(t *testing.T) {
	c, _ := New([]string{"127.0.0.1:1"}, WithHTTPClient(&http.Client{Transport: blind{}}))
	if _, err := c.Put(t.Context(), "k", nil); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("%v: nothing says that it was not sent", err)
	}
}

func TestEndpoints(t *testing.T) {
	c, err := New([]string{"127.0.0.1:8001", " http://127.0.0.1:8001/", "https://[::1]:8002"})
	want := []string{"http://127.0.0.1:8001", "https://[::1]:8002"}
	if diff := cmp.Diff(want, c.Endpoints()); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	bads := []string{"", "ftp://a", "http://", "http://a/path", "http://a?x=1", "a b", "http://u:p@a", "::"}
	for _, bad := range bads {
		if _, err := New([]string{"127.0.0.1:8001", bad}); err == nil {
			t.Errorf("%q was taken for an endpoint", bad)
		}
	}
	if _, err := New(nil); err == nil {
		t.Error("no endpoint was enough")
	}
}

func TestStatus(t *testing.T) {
	want := Status{ID: 2, Role: "leader", Term: 3, Last: Entry{3, 4}}
	want.Peers = []Peer{{ID: 1, Match: 4}}
	n := start(t, 2, func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(want) })
	c := connect(t, dead(t))
	got, err := c.Status(t.Context(), n.URL)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := c.Status(t.Context(), dead(t)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a dead node: %v", err)
	}
	if _, err := c.Status(t.Context(), "ftp://x"); !errors.Is(err, ErrBadRequest) {
		t.Errorf("no endpoint: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	leader := start(t, 2, accept)
	c := connect(t, start(t, 1, follower(2)).URL, leader.URL)
	var callers sync.WaitGroup
	for i := range 20 {
		callers.Go(func() {
			for range 20 {
				value := bytes.Repeat([]byte{byte(i)}, 10)
				if _, err := c.Put(t.Context(), fmt.Sprint(i), value); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
}

func TestErrorTellsAndHidesControlCharacters(t *testing.T) {
	e := &Error{Code: CodeTimeout, Message: "bad\x1b[31m\nline", Outcome: OutcomeUnknown,
		Endpoint: "http://h:1", Cause: io.EOF}
	want := `http://h:1: timeout: "bad\x1b[31m\nline"; whether the write was applied is unknown`
	if e.Error() != want || !errors.Is(e, io.EOF) {
		t.Errorf("%s, want %s", e, want)
	}
}

func TestClasses(t *testing.T) {
	classes := []error{ErrNotFound, ErrPreconditionFailed, ErrConflict, ErrSessionGone, ErrKeyReused,
		ErrUnavailable, ErrBadRequest}
	for code, class := range map[Code]error{
		CodeBadRequest: ErrBadRequest, CodeKeyNotFound: ErrNotFound, CodeNotFound: ErrBadRequest,
		CodeMethodNotAllowed: ErrBadRequest, CodePreconditionFailed: ErrPreconditionFailed,
		CodeTooLarge: ErrBadRequest, CodeKeyReused: ErrKeyReused, CodeOverloaded: ErrUnavailable,
		CodeInternal: nil, CodeNoLeader: ErrUnavailable,
		CodeLeaderChanged: ErrUnavailable, CodeStaleRead: ErrUnavailable,
		CodeNotReady: ErrUnavailable, CodeShuttingDown: ErrUnavailable, CodeTimeout: ErrUnavailable,
		CodeNoSpace: nil, CodeUnreachable: ErrUnavailable, CodeBroken: ErrUnavailable, CodeForeign: nil,
		CodeConflict: ErrConflict, CodeNothingNew: ErrConflict, CodeSessionGone: ErrSessionGone,
		CodeTooManyKeys: ErrUnavailable, CodeCompacted: nil, "new": nil,
	} {
		for _, c := range classes {
			if errors.Is(&Error{Code: code}, c) != (c == class) {
				t.Errorf("%s and class %q", code, c)
			}
		}
	}
}
