package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Client talks to a cluster through any of its nodes. It may be used concurrently.
//
// It starts at the node that led when it last heard, follows the hints of nodes that do not lead, goes on
// to the next node when one does not answer, and waits with growing, randomized pauses while there is no
// leader. A read is asked again after any failure that another try could mend. A write is sent again only
// when its outcome is NotApplied: a write whose connection broke after it was sent may be in the log, and
// sending it twice could undo somebody else's write that came between.
type Client struct {
	endpoints []string
	http      *http.Client
	patience  time.Duration
	perTry    time.Duration // 0: readTry or writeTry

	mu     sync.Mutex
	leader int            // the endpoint to begin with
	byNode map[uint64]int // which endpoint answered as which node
}

// The limits that options can change. A write may wait for as long as a node does by default, and a little
// more, so that it is the node that says what became of it.
const (
	defaultPatience = 10 * time.Second
	readTry         = 2 * time.Second
	writeTry        = 6 * time.Second
)

// Option changes how a Client behaves.
type Option func(*Client)

// WithPatience bounds how long one call goes on trying, whatever its context allows; 10 s by default. It
// must be positive.
func WithPatience(d time.Duration) Option { return func(c *Client) { c.patience = d } }

// WithTryTimeout bounds each single try; 2 s for reads and 6 s for writes by default. It must be positive.
func WithTryTimeout(d time.Duration) Option { return func(c *Client) { c.perTry = d } }

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
		if !slices.Contains(c.endpoints, normal) {
			c.endpoints = append(c.endpoints, normal)
		}
	}
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
		// A node answers with hints, never with redirects: whoever redirects is somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Endpoints returns where the client looks for nodes, in the form in which Status takes them.
func (c *Client) Endpoints() []string { return slices.Clone(c.endpoints) }

// Close gives back idle connections. The client may be used afterwards.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request, to be sent as often as it takes.
type call struct {
	method, path string
	body         []byte
	write        bool
}

// do makes rounds over the endpoints until one of them answers for good.
func (c *Client) do(ctx context.Context, call call) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	var told *Error
	for round := 0; ; round++ {
		a, err := c.round(ctx, call)
		if err == nil {
			return a, nil
		}
		if !call.mayRepeat(err) {
			return nil, err
		}
		told = moreTelling(told, err)
		if !pause(ctx, round, err.RetryAfter) {
			return nil, told
		}
	}
}

// round asks each endpoint at most once, beginning with the one that led last, and going where hints point.
func (c *Client) round(ctx context.Context, call call) (*answer, *Error) {
	tried := make([]bool, len(c.endpoints))
	var told *Error
	for next := c.first(); next >= 0; {
		tried[next] = true
		a, err := c.try(ctx, c.endpoints[next], call)
		c.learn(next, a, err)
		if err == nil {
			return a, nil
		}
		told = moreTelling(told, err)
		if !call.mayRepeat(err) {
			return nil, err
		}
		if ctx.Err() != nil {
			break
		}
		next = c.after(next, err.Leader, tried)
	}
	return nil, told
}

// mayRepeat says whether another try could help and cannot harm.
func (c call) mayRepeat(e *Error) bool {
	return e.Code.class() == ErrUnavailable && (!c.write || e.Outcome == NotApplied)
}

// moreTelling prefers what a node said over silence: "connection refused" at one node is not why a write
// failed when another has said that there is no leader.
func moreTelling(old, now *Error) *Error {
	if old != nil && old.Status != 0 && now.Status == 0 {
		return old
	}
	return now
}

func (c *Client) first() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leader
}

// learn remembers which endpoint is which node, and where to begin next time.
func (c *Client) learn(at int, a *answer, err *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.leader = at
		c.byNode[a.servedBy] = at
	case err.Node != 0:
		c.byNode[err.Node] = at
	}
	if err != nil && c.leader == at { // whoever comes next should not begin with a node that failed
		c.leader = (at + 1) % len(c.endpoints)
	}
}

// after returns the endpoint to ask next in this round: the hinted leader's if it is known, else the next
// in turn, and -1 when all were asked.
func (c *Client) after(at int, leader uint64, tried []bool) int {
	c.mu.Lock()
	hinted, known := c.byNode[leader]
	c.mu.Unlock()
	if leader != 0 && known && !tried[hinted] {
		return hinted
	}
	for step := 1; step < len(tried); step++ {
		if next := (at + step) % len(tried); !tried[next] {
			return next
		}
	}
	return -1
}

// The pauses between rounds: short at first, since an election takes a few hundred milliseconds.
const (
	firstPause   = 20 * time.Millisecond
	longestPause = 250 * time.Millisecond
)

// pause waits before the next round and reports whether there is to be one. Pauses are drawn at random, so
// that many clients that lost the same leader do not come back in step.
func pause(ctx context.Context, round int, suggested time.Duration) bool {
	d := min(firstPause<<min(round, 8), longestPause)
	d = max(d, min(suggested, longestPause))
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
