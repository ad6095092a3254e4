package client

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// spy returns a node that accepts everything, and the query of the last read that it was asked.
func spy(t *testing.T) (*node, *atomic.Pointer[string]) {
	query := new(atomic.Pointer[string])
	return start(t, 1, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			query.Store(&r.URL.RawQuery)
		}
		accept(w, r)
	}), query
}

func TestReadOptionsBecomeParameters(t *testing.T) {
	n, query := spy(t)
	c := connect(t, n.URL)
	for want, options := range map[string][]ReadOption{
		"":                                     nil,
		"consistency=leader":                   {FromLeader()},
		"consistency=lease":                    {Stale(time.Hour), Leased()},
		"consistency=stale":                    {Stale(0)},
		"consistency=stale&max_stale=2000ms":   {Stale(2 * time.Second)},
		"consistency=stale&max_stale=2ms":      {Stale(1001 * time.Microsecond)},
		"consistency=stale&max_stale=1ms":      {Stale(-time.Second)},
		"min_revision=17":                      {AtLeast(17), AtLeast(3)},
		"consistency=leader&min_revision=5":    {Stale(time.Hour), AtLeast(5), FromLeader()},
		"consistency=stale&min_revision=12345": {AtLeast(12345), Stale(0)},
	} {
		if _, err := c.Get(t.Context(), "k", options...); err != nil || *query.Load() != want {
			t.Errorf("%v: asked with %q, want %q", err, *query.Load(), want)
		}
	}
}

// TestOwnWritesAreSeen: what was written with this client binds its later reads, and nothing else does.
func TestOwnWritesAreSeen(t *testing.T) {
	n, query := spy(t)
	c, err := New([]string{n.URL}, WithOwnWrites())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func(want string, options ...ReadOption) {
		t.Helper()
		if _, err := c.Get(t.Context(), "k", options...); err != nil || *query.Load() != want {
			t.Errorf("%v: asked with %q, want %q", err, *query.Load(), want)
		}
	}
	ask("consistency=stale", Stale(0))
	if _, err := c.Put(t.Context(), "k", nil); err != nil { // revision 9
		t.Fatal(err)
	}
	ask("consistency=stale&min_revision=9", Stale(0))
	ask("consistency=leader&min_revision=11", FromLeader(), AtLeast(11))
	ask("") // sees them anyway
	c.wrote = 5
	if _, err := c.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	ask("consistency=stale&min_revision=9", Stale(0))
	c.wrote = 20 // by a write that began later and was answered earlier
	if _, err := c.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	ask("consistency=stale&min_revision=20", Stale(0))
	plain := connect(t, n.URL)
	if _, err := plain.Put(t.Context(), "k", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Get(t.Context(), "k", Stale(0)); err != nil || *query.Load() != "consistency=stale" {
		t.Errorf("%v: nobody asked for own writes, and still: %q", err, *query.Load())
	}
}

// pointing refuses and names a leader with the address at which clients reach it.
func pointing(leader uint64, url string) http.HandlerFunc {
	return refuse(503,
		ErrorDetail{Code: CodeLeaderChanged, Outcome: NotApplied, Leader: &Leader{leader, url}})
}

// TestFollowsAnAddressThatItWasNotGiven, and comes back to it.
func TestFollowsAnAddressThatItWasNotGiven(t *testing.T) {
	leader := start(t, 3, accept)
	one := start(t, 1, pointing(3, leader.URL))
	two := start(t, 2, follower(3))
	c := connect(t, one.URL, two.URL)
	for range 3 {
		if _, err := c.Put(t.Context(), "k", nil); err != nil {
			t.Fatal(err)
		}
	}
	if one.asked.Load() != 1 || two.asked.Load() != 0 || leader.asked.Load() != 3 {
		t.Errorf("asked %d, %d and the leader %d times", one.asked.Load(), two.asked.Load(),
			leader.asked.Load())
	}
	if got := c.Endpoints(); len(got) != 2 {
		t.Errorf("the endpoints became %v", got)
	}
}

// TestAnAddressOfNoUse is one that holds elsewhere only, or that nobody should follow.
func TestAnAddressOfNoUse(t *testing.T) {
	for url, learned := range map[string]int{
		"http://" + dead(t): 1, "https://127.0.0.1:1": 0, "ftp://x": 0, "http://x/path": 0, "\n": 0,
	} {
		var one *node
		electing := pointing(3, url)
		one = start(t, 1, func(w http.ResponseWriter, r *http.Request) {
			if one.asked.Load()%2 == 1 {
				electing(w, r)
				return
			}
			accept(w, r)
		})
		c := connect(t, one.URL)
		for range 2 {
			if _, err := c.Put(t.Context(), "k", nil); err != nil {
				t.Errorf("%q: %v", url, err)
			}
		}
		if one.asked.Load() != 4 {
			t.Errorf("%q: asked %d times", url, one.asked.Load())
		}
		if got := c.endpoints[c.given:]; len(got) != learned || learned == 1 && got[0].usable() {
			t.Errorf("%q: learned %v", url, got)
		}
	}
}

// TestLearnsNoMoreThanItShould: a node that makes addresses up cannot fill the memory.
func TestLearnsNoMoreThanItShould(t *testing.T) {
	c := connect(t, "127.0.0.1:1")
	for port := range 3 * maxLearned {
		url := fmt.Sprintf("http://127.0.0.1:%d", port+1)
		c.hinted(&Error{Leader: 1, LeaderURL: url, Endpoint: "http://127.0.0.1:1"})
	}
	if got := len(c.endpoints); got != 1+maxLearned {
		t.Errorf("%d endpoints", got)
	}
}

// TestTheErrorNamesTheLeader for whoever handles it.
func TestTheErrorNamesTheLeader(t *testing.T) {
	n := start(t, 1, refuse(503, ErrorDetail{Code: CodeLeaderChanged, Outcome: OutcomeUnknown,
		Leader: &Leader{3, "http://three:8003"}}))
	_, err := connect(t, n.URL).Put(t.Context(), "k", nil)
	if e, ok := err.(*Error); !ok || e.Leader != 3 || e.LeaderURL != "http://three:8003" ||
		n.asked.Load() != 1 {
		t.Errorf("%+v after %d tries", err, n.asked.Load())
	}
}
