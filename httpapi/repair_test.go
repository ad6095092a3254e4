package httpapi

import (
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/raft"
)

const (
	halted = `2 of 3 voters repair themselves after damage of the disk: no quorum is left, and nothing ` +
		`is guessed, for what was lost may have been acknowledged; restore a backup, or run balsa ` +
		`recover on a member that does not repair itself`
	repairs = `this node repairs itself after damage of its disk, and counts for nothing until the others ` +
		`have brought back what it lost`
)

// TestWhoRepairsItselfIsShown by the leader, and by each node that knows: its health, and that it is none of
// those that one could do without.
func TestWhoRepairsItselfIsShown(t *testing.T) {
	n, _, h := newMembers(t)
	n.set(func(n *fakeNode) {
		n.status.Peers[1].Contact = 30 * time.Millisecond // all voters answer
	})
	tolerates := func(want string) {
		t.Helper()
		if w := ask(h, "GET /v1/cluster", ""); !containsAll(w.Body.String(), `"failure_tolerance":`+want) {
			t.Errorf("%s, want a tolerance of %s", w.Body, want)
		}
	}
	tolerates("1")
	n.set(func(n *fakeNode) { n.status.Repair.Servers = []raft.NodeID{3} })
	tolerates(`0,"repair":{"on":false,"nodes":[3]},"members":[`)
	const third = `"contact_ms":30,"health":"repairing"}`
	if w := ask(h, "GET /v1/cluster", ""); strings.Count(w.Body.String(), "repairing") != 1 ||
		!containsAll(w.Body.String(), third) {
		t.Errorf("the leader shows %s", w.Body)
	}
	if w := ask(h, "GET /readyz", ""); w.Code != 200 { // it can do without that one
		t.Errorf("the leader is not ready: %s", w.Body)
	}

	n.follow(1)
	n.set(func(n *fakeNode) {
		n.status.Repair = raft.Repair{On: true, Floor: 7, Servers: []raft.NodeID{2}}
	})
	if w := ask(h, "GET /v1/status", ""); !containsAll(w.Body.String(),
		`"repair":{"on":true,"floor":7,"nodes":[2]},"keys":`) {
		t.Errorf("the status of a node that repairs itself: %s", w.Body)
	}
	expect(t, h, "GET /readyz", "", 503, `{"status":"failed","node":2,"checks":[{"name":"loop","ok":true},`+
		`{"name":"leader","ok":true},{"name":"heard","ok":true},{"name":"applied","ok":true},`+
		`{"name":"repair","ok":false,"reason":"`+repairs+`"}]}`)
	expect(t, h, "GET /livez", "", 200, `{"status":"ok","node":2}`)
}

// TestAHaltIsExplained wherever there is no leader: in the status, by readiness, and to whoever asks for
// something.
func TestAHaltIsExplained(t *testing.T) {
	n, _, h := newMembers(t)
	n.follow(raft.None)
	n.set(func(n *fakeNode) {
		n.status.Repair = raft.Repair{Servers: []raft.NodeID{1, 3}, Halts: true}
	})
	const body = `"repair":{"on":false,"nodes":[1,3],"halted":"` + halted + `"}`
	for _, path := range []string{"/v1/status", "/v1/cluster?stale"} {
		if w := ask(h, "GET "+path, ""); w.Code != 200 || !containsAll(w.Body.String(), body) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	expect(t, h, "GET /v1/cluster", "", 503, failure("no_leader", "node 2: no leader; "+halted, "not_applied",
		"null", 7, `,"retry_after_ms":250`))
	for _, path := range []string{"/readyz", "/health"} {
		if w := ask(h, "GET "+path, ""); w.Code != 503 || !containsAll(w.Body.String(),
			`{"name":"repair","ok":false,"reason":"`+halted+`"}`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	n.set(func(n *fakeNode) { n.status.Peers = nil; n.status.Standing = balsa.Voter })
	if w := ask(h, "GET /livez", ""); w.Code != 200 { // to restart it would not help
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
