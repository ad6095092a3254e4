package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"balsa"
	"balsa/client"
	"balsa/kv"
	"balsa/raft"
)

// fakeMembers answers changes as a test says, and remembers what it was asked for.
type fakeMembers struct {
	members raft.Configuration
	index   raft.Index
	asked   []raft.Change
	to      raft.NodeID
	refuse  []error // of the next calls; then they succeed
}

func (m *fakeMembers) ChangeMembership(_ context.Context, change raft.Change) (raft.Index, error) {
	m.asked = append(m.asked, change)
	return m.index + 1, m.next()
}

func (m *fakeMembers) TransferLeadership(_ context.Context, to raft.NodeID) (raft.NodeID, error) {
	m.to = to
	return 3, m.next()
}

func (m *fakeMembers) Members() (raft.Configuration, raft.Index) { return m.members, m.index }

func (m *fakeMembers) next() (err error) {
	if len(m.refuse) > 0 {
		err, m.refuse = m.refuse[0], m.refuse[1:]
	}
	return err
}

// refusing is an error of the node for a refused change.
func refusing(why raft.Refusal) error {
	return &balsa.Error{Kind: balsa.ErrChangeRefused, Outcome: balsa.NotApplied, Node: 2, Leader: 2,
		API: "http://two:8002", Term: 7, Refusal: why}
}

// newMembers is the node of newNode: it leads the voters 1, 2 and 3, and knows the learner 4.
func newMembers(t *testing.T) (*fakeNode, *fakeMembers, http.Handler) {
	n, _ := newNode(t)
	c := raft.NewConfiguration(map[raft.NodeID]string{1: "one:1", 2: "two:1", 3: "three:1", 4: "four:1"})
	c.Voters, c.Learners = c.Voters[:3], []raft.NodeID{4}
	for i := range c.Members {
		c.Members[i].Incarnation = raft.Incarnation(0xa0 + i)
	}
	m := &fakeMembers{members: c, index: 9}
	n.Membership = m
	n.status.Membership = balsa.Membership{Configuration: 9, Version: 1, Standing: balsa.Voter}
	n.status.Incarnation, n.status.Address = 0xa1, "two:1"
	n.status.Peers = []balsa.Peer{
		{ID: 1, Address: "one:1", Incarnation: 0xa0, Standing: balsa.Voter, Match: 4, Lag: 1, LagBytes: 48,
			Contact: 50 * time.Millisecond},
		{ID: 3, Address: "three:1", API: "http://three:8003", Standing: balsa.Voter, Contact: -1},
		{ID: 4, Address: "four:1", Incarnation: 0xa3, Standing: balsa.Learner, Installing: true, Offset: 3,
			Size: 10, LagBytes: -1, Contact: 20 * time.Millisecond},
	}
	return n, m, New(Config{Node: n, Store: kv.New()})
}

func TestTheMembersAreShown(t *testing.T) {
	n, _, h := newMembers(t)
	n.status.LeaseDrift, n.status.LeaseTime = 1000, 300*time.Millisecond
	const members = `"members":[` +
		`{"id":1,"role":"voter","address":"one:1","api":"","incarnation":"a0","leader":false,"match":4,` +
		`"lag":1,"lag_bytes":48,"contact_ms":50,"health":"ok"},` +
		`{"id":2,"role":"voter","address":"two:1","api":"http://two:8002","incarnation":"a1","leader":true,` +
		`"match":4,"lag":0,"lag_bytes":0,"contact_ms":-1,"health":"ok"},` +
		`{"id":3,"role":"voter","address":"three:1","api":"http://three:8003","leader":false,"match":0,` +
		`"lag":0,"lag_bytes":0,"contact_ms":-1,"health":"silent"},` +
		`{"id":4,"role":"learner","address":"four:1","api":"","incarnation":"a3","leader":false,"match":0,` +
		`"lag":0,"lag_bytes":-1,"contact_ms":20,"health":"behind","installing":{"offset":3,"size":10}}]}`
	const head = `{"cluster":"ab0000000000000000000000000000cd","node":2,"leader":2,"term":7,"commit":4,` +
		`"configuration":9,"joint":false,"version":1,"auto_promote":false,"lease_drift":1000,` +
		`"lease_time_ms":300,"failure_tolerance":0,`
	expect(t, h, "GET /v1/cluster", "", 200, head+members, "Balsa-Consistency: linearizable")
	expect(t, h, "GET /v1/cluster?stale", "", 200, head+members, "Balsa-Consistency: stale")
	if diff := cmp.Diff([]string{"read linearizable max 0s min 0 local true"}, n.calls); diff != "" {
		t.Errorf("the leader made sure that it leads, once:\n%s", diff)
	}
	n.follow(3)
	expect(t, h, "GET /v1/cluster", "", 307, failure("leader_changed",
		"node 2: not the leader; node 3 leads", "not_applied", three, 7, ""),
		"Location: http://three:8003/v1/cluster")
	n.follow(raft.None)
	expect(t, h, "GET /v1/cluster", "", 503, failure("no_leader", "node 2: no leader", "not_applied", "null",
		7, `,"retry_after_ms":250`))
	w := ask(h, "GET /v1/cluster?stale", "")
	if got := w.Body.String(); w.Code != 200 || !containsAll(got, `"failure_tolerance":null`, `"leader":0`,
		`"id":4,"role":"learner"`, `"health":"unknown"`) {
		t.Errorf("a node that knows no leader shows %d %s", w.Code, got)
	}
	expect(t, h, "GET /v1/cluster?stale=1", "", 400, failure("bad_request",
		`the parameter "stale" takes no value`, "not_applied", "null", 7, ""))
}

// TestFailureTolerance: while the voters change, both halves must be able to do without.
func TestFailureTolerance(t *testing.T) {
	for _, test := range []struct {
		members string // v, j, l: voter, joining, leaving; L: learner; capital S behind it: silent
		joint   bool
		want    int
	}{
		{"v", false, 0}, {"v v", false, 0}, {"v v v", false, 1}, {"v v vS", false, 0},
		{"v v v v v", false, 2},
		{"v v v L L", false, 1}, {"v vS vS", false, 0}, {"v v v j j", true, 1}, {"v v j l", true, 1},
		{"v v jS l", true, 0}, {"v v v l", false, 1}, {"j j j l", true, 0},
	} {
		body := client.Cluster{InForce: client.InForce{Joint: test.joint}}
		for _, c := range strings.Fields(test.members) {
			m := client.Member{Role: map[byte]string{'v': client.RoleVoter, 'j': client.RoleJoining,
				'l': client.RoleLeaving, 'L': client.RoleLearner}[c[0]]}
			if len(c) > 1 {
				m.Health = client.HealthSilent
			}
			body.Members = append(body.Members, m)
		}
		if got := failureTolerance(body); got != test.want {
			t.Errorf("%q, joint %v: %d, want %d", test.members, test.joint, got, test.want)
		}
	}
}

func TestChangesAreAskedOfTheNode(t *testing.T) {
	yes, no, drift := true, false, uint32(1000)
	added := raft.Member{ID: 5, Incarnation: 0xff, Address: "five:1", API: "http://five:8005"}
	for _, test := range []struct {
		what, body string
		want       raft.Change
	}{
		{"POST /v1/cluster/members",
			`{"id":5,"incarnation":"ff","address":"five:1","api":"http://five:8005"}`,
			raft.Change{Add: []raft.Member{added}}},
		{"POST /v1/cluster/members",
			`{"id":5,"incarnation":"ff","address":"five:1","api":"http://five:8005",` +
				`"auto_promote":true,"version":1}`,
			raft.Change{Add: []raft.Member{added}, AutoPromote: &yes}},
		{"PATCH /v1/cluster/members/4", `{"role":"voter"}`,
			raft.Change{Promote: []raft.NodeID{4}, Update: []raft.Member{{ID: 4}}}},
		{"PATCH /v1/cluster/members/3", `{"role":"voter"}`, raft.Change{Update: []raft.Member{{ID: 3}}}},
		{"PATCH /v1/cluster/members/3", `{"role":"learner","auto_promote":false,"force":true}`,
			raft.Change{Demote: []raft.NodeID{3}, Update: []raft.Member{{ID: 3}}, AutoPromote: &no,
				Force: true}},
		{"PATCH /v1/cluster/members/3", `{"address":"x:1","api":"http://x:2"}`,
			raft.Change{Update: []raft.Member{{ID: 3, Address: "x:1", API: "http://x:2"}}}},
		{"DELETE /v1/cluster/members/2", "", raft.Change{Remove: []raft.NodeID{2}}},
		{"DELETE /v1/cluster/members/4?force&incarnation=a3", "",
			raft.Change{Remove: []raft.NodeID{4}, Force: true}},
		{"PUT /v1/cluster/members", `{"voters":[2,3,4]}`,
			raft.Change{Promote: []raft.NodeID{4}, Remove: []raft.NodeID{1}}},
		{"PUT /v1/cluster/members", `{"voters":[2],"learners":[3,4],"force":true}`,
			raft.Change{Demote: []raft.NodeID{3}, Remove: []raft.NodeID{1}, Force: true}},
		{"PATCH /v1/cluster", `{"auto_promote":true}`, raft.Change{AutoPromote: &yes}},
		{"PATCH /v1/cluster", `{"lease_drift":1000}`, raft.Change{LeaseDrift: &drift}},
	} {
		_, m, h := newMembers(t)
		expect(t, h, test.what, test.body, 202, `{"configuration":10}`)
		if diff := cmp.Diff([]raft.Change{test.want}, m.asked); diff != "" {
			t.Errorf("%s %s:\n%s", test.what, test.body, diff)
		}
		_, m, h = newMembers(t)
		m.refuse = []error{refusing(raft.NothingChanged)}
		expect(t, h, test.what, test.body, 200, `{"configuration":9}`)
	}
}

// TestAddingTwice: the same data directory is welcome again, another one is not.
func TestAddingTwice(t *testing.T) {
	again := &balsa.Error{Kind: balsa.ErrChangeRefused, Outcome: balsa.NotApplied, Node: 2, Leader: 2,
		Term: 7, Refusal: raft.AlreadyMember}
	_, m, h := newMembers(t)
	m.refuse = []error{again, refusing(raft.NothingChanged)}
	expect(t, h, "POST /v1/cluster/members", `{"id":4,"incarnation":"a3","address":"four:1"}`, 200,
		`{"configuration":9}`)
	_, m, h = newMembers(t)
	m.refuse = []error{again}
	w := ask(h, "POST /v1/cluster/members", `{"id":4,"incarnation":"a4","address":"four:1"}`)
	if w.Code != 409 || !containsAll(w.Body.String(), `"code":"member_exists"`,
		"balsa member replace 4") || len(m.asked) != 1 {
		t.Errorf("another directory: %d %s, asked %v", w.Code, w.Body, m.asked)
	}
}

// TestEveryRefusalHasACode: what the engine can refuse is in a table, with advice, and nothing is internal.
func TestEveryRefusalHasACode(t *testing.T) {
	codes := map[client.Code]bool{}
	for why := raft.VotersSilent; isRefusal(why); why++ {
		if why == raft.NothingChanged || why == raft.NoTarget || why == raft.TransferExpired {
			continue // no error, or below
		}
		_, m, h := newMembers(t)
		m.refuse = []error{refusing(why)}
		w := ask(h, "DELETE /v1/cluster/members/4", "")
		p := nodeProblem(refusing(why))
		if w.Code != p.status || p.code == client.CodeInternal || w.Code < 404 || w.Code > 422 {
			t.Errorf("%v: %d %s", why, w.Code, w.Body)
		}
		codes[p.code] = true
	}
	if len(codes) < 14 {
		t.Errorf("only %d codes", len(codes))
	}
	for kind, want := range map[error]string{
		balsa.ErrConfigChangeInProgress: `409 "config_change_in_progress"`,
		balsa.ErrHandingOver:            `503 "no_leader"`,
		balsa.ErrNoTarget:               `409 "no_target"`,
		balsa.ErrTransferTimeout:        `504 "transfer_timeout"`,
	} {
		_, m, h := newMembers(t)
		m.refuse = []error{&balsa.Error{Kind: kind, Outcome: balsa.NotApplied, Node: 2, Term: 7}}
		w := ask(h, "POST /v1/cluster/leader/transfer", "")
		if got := fmt.Sprintf("%d %q", w.Code, errorCode(t, w.Body.Bytes())); got != want {
			t.Errorf("%v: %s, want %s", kind, got, want)
		}
	}
}

// isRefusal reports whether the engine has such a refusal: their names end with them.
func isRefusal(why raft.Refusal) (is bool) {
	defer func() { is = recover() == nil }()
	_ = why.String()
	return true
}

func TestTransfer(t *testing.T) {
	n, m, h := newMembers(t)
	expect(t, h, "POST /v1/cluster/leader/transfer", `{"to":3}`, 200, `{"leader":3}`)
	if m.to != 3 {
		t.Errorf("to %v", m.to)
	}
	expect(t, h, "POST /v1/cluster/leader/transfer", "", 200, `{"leader":3}`)
	if m.to != raft.None {
		t.Errorf("to %v", m.to)
	}
	m.refuse = []error{&balsa.Error{Kind: balsa.ErrNoTarget, Outcome: balsa.NotApplied, Node: 2}}
	if w := ask(h, "POST /v1/cluster/leader/transfer", `{"to":9}`); w.Code != 409 ||
		!containsAll(w.Body.String(), "node 9 cannot take over, as it has no vote or does not answer") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	n.follow(3)
	expect(t, h, "POST /v1/cluster/leader/transfer?timeout=2s", `{"to":1}`, 307, failure("leader_changed",
		"node 2: not the leader; node 3 leads", "not_applied", three, 7, ""),
		"Location: http://three:8003/v1/cluster/leader/transfer?timeout=2s")
	n.follow(1) // of whom nobody has said where clients reach it
	w := ask(h, "DELETE /v1/cluster/members/3", "")
	if w.Code != 503 || !containsAll(w.Body.String(), "where clients reach it is not known") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestMistakesInChanges(t *testing.T) {
	for _, test := range [][4]string{
		{"POST /v1/cluster/members", "", "400", "send {\\\"id\\\":4"},
		{"POST /v1/cluster/members", `{"id":0,"incarnation":"1"}`, "400", "a positive"},
		{"POST /v1/cluster/members", `{"id":4,"incarnation":"zz"}`, "400", "hexadecimal"},
		{"POST /v1/cluster/members", `{"id":4,"adress":"x"}`, "400", "adress"},
		{"POST /v1/cluster/members", `{"id":5,"incarnation":"1","address":"five"}`, "400", "host:port"},
		{"POST /v1/cluster/members", `{"id":5,"incarnation":"1","address":"five:0"}`, "400", "host:port"},
		{"POST /v1/cluster/members", `{"id":5,"incarnation":"1","address":"a:1","api":"a:2"}`, "400",
			"http://host:port"},
		{"PATCH /v1/cluster/members/4", `{"address":":7001"}`, "400", "host:port"},
		{"PATCH /v1/cluster/members/4", `{"api":"http://a/b"}`, "400", "http://host:port"},
		{"DELETE /v1/cluster/members/7", "", "404", "balsa member list shows who is; nothing was changed"},
		{"PATCH /v1/cluster/members/4", `{"role":"king"}`, "400", "voter"},
		{"PATCH /v1/cluster/members/4", `{"force":true}`, "400", "say what"},
		{"PATCH /v1/cluster/members/4?force", `{"role":"voter"}`, "400", "part of the body"},
		{"PATCH /v1/cluster/members/four", `{"role":"voter"}`, "400", "a decimal"},
		{"PATCH /v1/cluster/members/7", `{"role":"voter"}`, "404", "member_not_found"},
		{"DELETE /v1/cluster/members/", "", "400", "a decimal"},
		{"DELETE /v1/cluster/members/4?force=yes", "", "400", "no value"},
		{"DELETE /v1/cluster/members/4?incarnation=a4", "", "404", "member_not_found"},
		{"DELETE /v1/cluster/members/4", "{}", "400", "no body"},
		{"PUT /v1/cluster/members", `{"voters":[1,7]}`, "404", "add it first"},
		{"PUT /v1/cluster/members", `{"voters":[1,2],"learners":[2]}`, "400", "in both lists"},
		{"PUT /v1/cluster/members", `{"voters":[1,1,2]}`, "400", "node 1 is named twice"},
		{"PUT /v1/cluster/members", `{"voters":[1,2],"learners":[3,3]}`, "400", "node 3 is named twice"},
		{"PATCH /v1/cluster", `{}`, "400", "say what"},
		{"PATCH /v1/cluster?stale", `{"auto_promote":true}`, "400", "belongs to reads"},
		{"POST /v1/cluster", "", "405", "GET, HEAD, PATCH"},
		{"GET /v1/cluster/members", "", "405", "POST, PUT"},
		{"GET /v1/cluster/leader/transfer", "", "405", "POST"},
	} {
		_, m, h := newMembers(t)
		w := ask(h, test[0], test[1])
		if fmt.Sprint(w.Code) != test[2] || !containsAll(w.Body.String(), test[3]) || len(m.asked) > 0 {
			t.Errorf("%s %s: %d %s, asked %v", test[0], test[1], w.Code, w.Body, m.asked)
		}
	}
	n, m, h := newMembers(t)
	n.status.Version = 2
	w := ask(h, "POST /v1/cluster/members", `{"id":5,"incarnation":"1","address":"x:1","version":1}`)
	if w.Code != 409 || !containsAll(w.Body.String(), "version_unsupported") || len(m.asked) > 0 {
		t.Errorf("a program that is too old: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "DELETE /v1/cluster/members/4", "", "If-Match: 3"); w.Code != 400 {
		t.Errorf("a condition that nobody looks at: %d %s", w.Code, w.Body)
	}
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func errorCode(t *testing.T, body []byte) client.Code {
	t.Helper()
	var b client.ErrorBody
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	return b.Error.Code
}
