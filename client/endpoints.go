package client

import (
	"slices"
	"strings"
	"time"
)

// maxLearned bounds how many endpoints a client learns from nodes, and shunFor says how long it passes over
// one of them that it could not reach.
const (
	maxLearned = 64
	shunFor    = 30 * time.Second
)

func (e endpoint) usable() bool { return time.Now().After(e.shunned) }

// add returns the place of an endpoint, which it adds if it is new.
func (c *Client) add(url string) int {
	at := slices.IndexFunc(c.endpoints, func(e endpoint) bool { return e.url == url })
	if at < 0 {
		at = len(c.endpoints)
		c.endpoints = append(c.endpoints, endpoint{url: url})
	}
	return at
}

// first returns the endpoint to begin with.
func (c *Client) first() (at int, url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next, c.endpoints[c.next].url
}

// learn remembers which endpoint is which node, and where to begin next time.
func (c *Client) learn(at int, a *answer, err *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.next = at
		c.byNode[a.servedBy] = at
		return
	case err.Node != 0:
		c.byNode[err.Node] = at
	case err.Code == CodeUnreachable && at >= c.given:
		c.endpoints[at].shunned = time.Now().Add(shunFor)
	}
	if c.next == at && !err.Code.passes() { // whoever comes next should not begin with a node that failed
		c.next = (at + 1) % c.given
	}
}

// after returns the endpoint to ask next in this round: that of the leader that the last one named, else the
// next in turn, and -1 when all were asked.
func (c *Client) after(at int, told *Error, tried map[int]bool) (next int, url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next = c.hinted(told)
	for step := 0; next < 0 || tried[next] || !c.endpoints[next].usable(); step++ {
		if step == len(c.endpoints) {
			return -1, ""
		}
		next = (at + 1 + step) % len(c.endpoints)
	}
	return next, c.endpoints[next].url
}

// hinted returns the endpoint of the leader that a node has named, or -1: the one that has answered as that
// node, else the one that the node says.
func (c *Client) hinted(told *Error) int {
	if at, known := c.byNode[told.Leader]; known && told.Leader != 0 && c.endpoints[at].usable() {
		return at
	}
	url, err := normalize(told.LeaderURL)
	switch {
	case told.LeaderURL == "" || err != nil || len(c.endpoints) >= c.given+maxLearned:
		return -1
	case scheme(url) != scheme(told.Endpoint):
		return -1 // who speaks over TLS must not be led off it
	}
	return c.add(url)
}

func scheme(url string) string {
	name, _, _ := strings.Cut(url, "://")
	return name
}
