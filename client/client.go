package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Client talks to a cluster through any of its nodes. It may be used concurrently.
//
// Every node takes every request, and forwards to the leader what needs it. The client stays with the node
// that answered last, goes where a node that cannot serve it says that the leader is, or else on to the next
// one, and waits with growing, randomized pauses while there is no leader. A read is asked again after any
// failure that another try could mend. A write is sent again only when its outcome is NotApplied: a write
// whose connection broke after it was sent may be in the log, and sending it twice could undo somebody else's
// write that came between. A write with a key (Once), or of a Session, may be sent again after any such
// failure, at any node: the cluster carries it out once.
type Client struct {
	given     int // how many of the endpoints New was given; the others were learned
	http      *http.Client
	patience  time.Duration
	perTry    time.Duration // 0: readTry or writeTry
	ownWrites bool          // reads must see them

	mu        sync.Mutex
	endpoints []endpoint
	next      int            // the endpoint to begin with
	byNode    map[uint64]int // which endpoint answered as which node
	wrote     uint64         // the highest revision of a write
}

// endpoint is where a node answers, or may answer.
type endpoint struct {
	url string
	// shunned says until when a learned one is passed over, at which no connection could be had. What a node
	// says of itself need not hold where the client is, and each try could cost a timeout.
	shunned time.Time
}

// The limits that options can change. A write may wait for as long as a node does by default, and a little
// more, so that it is the node that says what became of it.
const (
	defaultPatience = 10 * time.Second
	readTry         = 2 * time.Second
	writeTry        = 6 * time.Second
	longTry         = 65 * time.Second
)

// Option changes how a Client behaves.
type Option func(*Client)

// WithPatience bounds how long one call goes on trying, whatever its context allows; 10 s by default. It
// must be positive. A write that may be sent again (Once, Session) goes on for longer if its context has a
// deadline: who gives up with an unknown outcome has lost what the key was for. One of Once goes on for at
// most half of KeyLife after a try whose outcome is unknown.
func WithPatience(d time.Duration) Option { return func(c *Client) { c.patience = d } }

// WithTryTimeout bounds each single try; 2 s for reads and 6 s for writes by default. It must be positive.
func WithTryTimeout(d time.Duration) Option { return func(c *Client) { c.perTry = d } }

// WithOwnWrites makes every read of the client see at least the writes that it has made before, whatever the
// consistency asked for: a stale read then waits until the node that it asks has applied them. A write whose
// outcome is unknown does not count.
func WithOwnWrites() Option { return func(c *Client) { c.ownWrites = true } }

// WithHTTPClient takes the place of the HTTP client that New makes, for TLS and the like. It must not
// follow redirects of writes by itself, and must not repeat them.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// New returns a client of the cluster whose nodes answer at the endpoints: "http://127.0.0.1:8001", or
// without the scheme. One endpoint is enough; more let it go on when that node is down. The error names the
// endpoint that is none.
func New(endpoints []string, options ...Option) (*Client, error) {
	c := &Client{patience: defaultPatience, byNode: map[uint64]int{}}
	for _, e := range endpoints {
		normal, err := normalize(e)
		if err != nil {
			return nil, err
		}
		c.add(normal)
	}
	c.given = len(c.endpoints)
	if len(c.endpoints) == 0 {
		return nil, errors.New("no endpoint: name at least one, such as http://127.0.0.1:8001")
	}
	for _, option := range options {
		option(c)
	}
	if c.http == nil {
		c.http = newHTTPClient()
	}
	return c, nil
}

func normalize(endpoint string) (string, error) {
	text := strings.TrimSpace(endpoint)
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	known := err == nil && (u.Scheme == "http" || u.Scheme == "https")
	if !known || u.Host == "" || u.Path+u.RawQuery+u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("endpoint %q: write it as http://host:port", endpoint)
	}
	return u.String(), nil
}

func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64 // the default of 2 would keep closing those of concurrent callers
	return &http.Client{
		Transport: transport,
		// A node redirects only when it is asked to, and this client does not ask: whoever does is somebody
		// else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Endpoints returns the nodes that New was given, in the form in which Status takes them.
func (c *Client) Endpoints() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var urls []string
	for _, e := range c.endpoints[:c.given] {
		urls = append(urls, e.url)
	}
	return urls
}

// Close gives back idle connections. The client may be used afterwards.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request, to be sent as often as it takes.
type call struct {
	method, path string
	body         []byte
	write        bool
	key          string // the cluster carries the write out once under it; empty: every time it is sent
	harmless     bool   // a write that does no harm when it happens twice
	long         bool   // the node may take as long as it ever does
	members      bool   // programs from before cluster version 1 do not know the path
	// doubted is when the first try was sent of which nobody knows what became; zero while there is none.
	doubted time.Time
}

// do makes rounds over the endpoints until one of them answers for good.
func (c *Client) do(ctx context.Context, call call) (*answer, error) {
	ctx, cancel := c.bound(ctx, call)
	defer cancel()
	var told *Error
	for round := 0; ; round++ {
		a, err := c.round(ctx, &call)
		if err == nil {
			return a, nil
		}
		if !call.mayRepeat(err) {
			return nil, call.afterUnknown(told, err)
		}
		told = call.moreTelling(told, err)
		if !pause(ctx, pauseAfter(round, err)) || call.tooLate() {
			return nil, told
		}
	}
}

// bound gives a call the time that it may take.
func (c *Client) bound(ctx context.Context, call call) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded && call.key != "" {
		return context.WithCancel(ctx)
	}
	if call.long {
		return context.WithTimeout(ctx, c.patience+longTry)
	}
	return context.WithTimeout(ctx, c.patience)
}

// round asks each endpoint at most once, beginning with the one that answered last, and going where hints
// point.
func (c *Client) round(ctx context.Context, call *call) (*answer, *Error) {
	tried := map[int]bool{}
	var told *Error
	for next, url := c.first(); next >= 0; {
		tried[next] = true
		sent := time.Now()
		a, err := c.try(ctx, url, *call)
		c.learn(next, a, err)
		if err == nil {
			return a, nil
		}
		if err.Outcome == OutcomeUnknown && call.doubted.IsZero() {
			call.doubted = sent
		}
		if !call.mayRepeat(err) {
			return nil, call.afterUnknown(told, err)
		}
		told = call.moreTelling(told, err)
		if ctx.Err() != nil || err.Code.passes() {
			break
		}
		next, url = c.after(next, err, tried)
	}
	return nil, told
}

// mayRepeat says whether another try could help and cannot harm.
func (c *call) mayRepeat(e *Error) bool {
	if c.members && e.Code == CodeNotFound { // the leader may run a later program than this node
		return e.Leader != e.Node
	}
	return e.Code.class() == ErrUnavailable && !c.tooLate() &&
		(!c.write || c.harmless || c.key != "" || e.Outcome == NotApplied)
}

// KeyLife is how long the cluster remembers a key of Once after its latest use.
const KeyLife = 10 * time.Minute

// tooLate says whether the cluster may soon have forgotten the key under which an earlier try was perhaps
// carried out: from then on another try would be carried out again, and nobody would notice. It remembers by
// its own time, which runs on when a leader with another clock takes over: so half of the key's life is left
// to that, and to tries that are still on their way. A session that has ended says so, and is never too late.
func (c *call) tooLate() bool {
	return c.key != "" && !ofSession(c.key) && !c.doubted.IsZero() && time.Since(c.doubted) >= KeyLife/2
}

// moreTelling prefers what a node said over silence: "connection refused" at one node is not why a write
// failed when another has said that there is no leader.
func (c *call) moreTelling(old, now *Error) *Error {
	if old != nil && old.Status != 0 && now.Status == 0 {
		return c.afterUnknown(now, old)
	}
	return c.afterUnknown(old, now)
}

// afterUnknown keeps in mind that another try may have had its effect, or may still: that this one was
// refused says nothing about that one. But what the map itself refused under a key, it has refused for good,
// as long as the key is remembered.
func (c *call) afterUnknown(other, e *Error) *Error {
	if other == nil || other.Outcome == NotApplied || e.Outcome != NotApplied ||
		e.Code == CodeConflict && !c.tooLate() {
		return e
	}
	unsure := *e
	unsure.Outcome = OutcomeUnknown
	return &unsure
}

// The pauses between rounds: short at first, since an election takes a few hundred milliseconds.
const (
	firstPause   = 20 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

// pauseAfter is how long to wait before the next round: not all of the time that a node suggests, for another
// one may lead before, and least of all for want of a leader: one that has handed over has a successor in a
// few milliseconds. But room for a new key comes only with time, and each try before costs an entry of the
// log. Pauses are drawn at random, so that many clients that lost the same leader do not come back in step.
func pauseAfter(round int, e *Error) time.Duration {
	d := min(firstPause<<min(round, 8), longestPause)
	if e.Code == CodeTooManyKeys {
		return e.RetryAfter + rand.N(d+1)
	}
	if e.Code != CodeNoLeader && e.Code != CodeLeaderChanged {
		d = max(d, min(e.RetryAfter, longestPause))
	}
	return d/2 + rand.N(d/2+1)
}

// pause waits before the next round and reports whether there is to be one.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
