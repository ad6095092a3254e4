package client

import (
	"net/url"
	"strconv"
	"time"
)

// ReadOption says what a read must see. Of several that name a consistency the last one counts.
type ReadOption func(*reading)

// reading is what the options of a read come to.
type reading struct {
	consistency string // empty for the default, which is linearizable
	maxStale    time.Duration
	minRevision uint64
}

// Leased is content with the leader's lease, which it need not confirm with the others: see ConsistencyLease.
// It saves a round of messages among the nodes.
func Leased() ReadOption {
	return func(r *reading) { r.consistency, r.maxStale = ConsistencyLease, 0 }
}

// FromLeader is content with what the leader has applied, without asking whether it still leads: see
// ConsistencyLeader. It saves a round of messages among the nodes.
func FromLeader() ReadOption {
	return func(r *reading) { r.consistency, r.maxStale = ConsistencyLeader, 0 }
}

// Stale is content with what the node that is asked has applied, if that node has heard from its leader
// within the age, in whole milliseconds, rounded up; 0 is no bound. Then any node answers, without a leader
// too.
func Stale(age time.Duration) ReadOption {
	return func(r *reading) { r.consistency, r.maxStale = ConsistencyStale, age }
}

// AtLeast waits until the node has applied a revision, such as that of a PutResult: whoever is told the
// revision of a write thus sees that write, at every node and with every consistency. A revision that does
// not come within the time of a try fails as ErrUnavailable.
func AtLeast(revision uint64) ReadOption {
	return func(r *reading) { r.minRevision = max(r.minRevision, revision) }
}

// query returns the query of a read's URL.
func (c *Client) query(options []ReadOption) string {
	var r reading
	for _, option := range options {
		option(&r)
	}
	if c.ownWrites && r.consistency != "" { // a linearizable read sees them anyway
		AtLeast(c.written())(&r)
	}
	q := url.Values{}
	if r.consistency != "" {
		q.Set("consistency", r.consistency)
	}
	if r.maxStale != 0 { // a negative age must not become no bound at all
		milliseconds := max(1, (r.maxStale+time.Millisecond-1)/time.Millisecond)
		q.Set("max_stale", strconv.FormatInt(int64(milliseconds), 10)+"ms")
	}
	if r.minRevision > 0 {
		q.Set("min_revision", strconv.FormatUint(r.minRevision, 10))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// noteWrite remembers how far this client has written.
func (c *Client) noteWrite(revision uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrote = max(c.wrote, revision)
}

func (c *Client) written() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrote
}
