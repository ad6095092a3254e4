package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"balsa/kv"
	"balsa/raft"
)

func TestSubmit(t *testing.T) {
	n, h := newNode(t)
	const badValue = "the body is no JSON: invalid character 'S' looking for beginning of value, at byte "
	for _, test := range []struct {
		body   string
		status int
		answer string
	}{
		{`{"command":"SET greeting hello world"}`, 200, `{"result":"OK"}`},
		{` {"command":"DELETE greeting"}` + "\n", 200, `{"result":"OK"}`},
		{`{"command":"DELETE greeting"}`, 400, `{"error":"key not found","leader_hint":2}`},
		{`{"command":"SET greeting"}`, 400, refusal(kv.MissingValue)},
		{`{"command":"SET  v"}`, 400, refusal(kv.EmptyKey)},
		{`{"command":"GET greeting"}`, 400, refusal(kv.UnknownWord)},
		{`{"command":"\u0001\u0001"}`, 400, refusal(kv.UnknownWord)},
		{`{"command":"DELETE a b"}`, 400, refusal(kv.SpaceInKey)},
		{`{"command":""}`, 400, refusal(kv.EmptyCommand)},
		{`{"command":null}`, 400, refusal(kv.EmptyCommand)},
		{`{}`, 400, refusal(kv.EmptyCommand)},
		{`null`, 400, refusal(kv.EmptyCommand)},
		{``, 400, saying(`the body is empty: send {\"command\":\"SET key value\"}`)},
		{`{"command":"SET k v"`, 400, saying(`the body is no JSON: it ends too early`)},
		{`{"command":SET}`, 400, saying(badValue + `12`)},
		{`SET k v`, 400, saying(badValue + `1`)},
		{`{"command":"SET k v"} x`, 400, saying(`the body goes on behind its JSON, at byte 22`)},
		{`{"command":"SET k v"}{}`, 400, saying(`the body goes on behind its JSON, at byte 22`)},
		{`{"command":7}`, 400,
			saying(`the body's \"command\" is a number and should be a string, at byte 12`)},
		{`["SET k v"]`, 400,
			saying(`the body is no JSON object (array): send {\"command\":\"SET key value\"}`)},
		{`{"command":"SET k v","ttl":3}`, 400, saying(`the body does not fit: unknown field \"ttl\"`)},
		{"{\"command\":\"SET k \xff\"}", 400,
			saying(`the body is not UTF-8: PUT below /v1/kv/ takes any bytes`)},
		{`{"command":"SET ` + strings.Repeat("k", kv.MaxKey+1) + ` v"}`, 400, refusal(kv.KeyTooLong)},
		{`{"command":"SET k ` + strings.Repeat("v", kv.MaxValue+1) + `"}`, 400, refusal(kv.ValueTooLong)},
	} {
		before := n.store.Revision()
		expect(t, h, "POST /client/submit", test.body, test.status, test.answer)
		if changed := n.store.Revision() != before; changed != (test.status == 200) {
			t.Errorf("%.30s: written: %v", test.body, changed)
		}
	}
}

func saying(message string) string { return `{"error":"` + message + `","leader_hint":2}` }

func refusal(r kv.Refusal) string { return saying(r.Error()) }

// A request has its time, which a busy machine may need for so large a body alone: here the clock stands
// still as long as anybody works.
func TestSubmitKeepsTheWholeValue(t *testing.T) { synctest.Test(t, submitKeepsTheWholeValue) }

func submitKeepsTheWholeValue(t *testing.T) {
	n, h := newNode(t)
	value := strings.Repeat("\x01", kv.MaxValue) // each byte is six in JSON
	body := `{"command":"SET k ` + strings.ReplaceAll(value, "\x01", `\u0001`) + `"}`
	expect(t, h, "POST /client/submit?forward=false", body, 200, `{"result":"OK"}`, "Balsa-Revision: 5")
	if item, _ := n.store.Get("k"); string(item.Value) != value {
		t.Errorf("%d bytes were stored", len(item.Value))
	}
}

// TestSubmitForwardsOnRequest: the clients of the small API follow the hint, so it forwards only when it is
// asked to.
func TestSubmitForwardsOnRequest(t *testing.T) {
	n, h := newNode(t)
	n.follow(3)
	for _, query := range []string{"", "?forward=false"} {
		expect(t, h, "POST /client/submit"+query, `{"command":"SET k v"}`, 503,
			`{"error":"node 2: not the leader; the command was not applied; node 3 leads","leader_hint":3}`)
	}
	if n.store.Len() != 0 {
		t.Error("what was refused was written")
	}
	expect(t, h, "POST /client/submit?forward=true", `{"command":"SET k v"}`, 200, `{"result":"OK"}`,
		"Balsa-Leader: 3", "Balsa-Served-By: 2", "Balsa-Revision: 5")
	for _, query := range []string{"forward", "forward=1", "forward=yes"} {
		expect(t, h, "POST /client/submit?"+query, `{"command":"SET k v"}`, 400,
			`{"error":"forward is true or false","leader_hint":3}`)
	}
}

func TestWhoLeads(t *testing.T) {
	n, h := newNode(t)
	status := func(state, leader string) string {
		return fmt.Sprintf(`{"node_id":2,"state":%q,"term":7,"leader_id":%s,"commit_index":4,`+
			`"last_applied":4,"log_length":4}`, state, leader)
	}
	expect(t, h, "GET /client/leader", "", 200, `{"leader_id":2,"node_id":2,"is_leader":true}`)
	expect(t, h, "GET /client/status", "", 200, status("Leader", "2"))
	n.follow(3)
	expect(t, h, "GET /client/leader", "", 200, `{"leader_id":3,"node_id":2,"is_leader":false}`)
	expect(t, h, "GET /client/status", "", 200, status("Follower", "3"))
	for _, role := range []raft.Role{raft.PreCandidate, raft.Candidate} {
		n.set(func(n *fakeNode) { n.status.Role, n.status.Leader = role, raft.None })
		expect(t, h, "GET /client/leader", "", 200, `{"leader_id":null,"node_id":2,"is_leader":false}`)
		expect(t, h, "GET /client/status", "", 200, status("Candidate", "null"))
	}
}

// TestOwnState: what a follower holds is given away by the small API, and only there.
func TestOwnState(t *testing.T) {
	n, h := newNode(t)
	expect(t, h, "GET /client/kv", "", 200, `{}`)
	ask(h, "PUT /v1/kv/b", "two words")
	ask(h, "PUT /v1/kv/a%22", "1")
	ask(h, "PUT /v1/kv/a//b", "")
	n.follow(3)
	n.set(func(n *fakeNode) { n.status.Contact = 40 * time.Millisecond })
	expect(t, h, "GET /client/kv", "", 200, `{"a\"":"1","a//b":"","b":"two words"}`,
		"Content-Type: application/json", "Balsa-Revision: 7", "Balsa-Consistency: stale",
		"Balsa-Served-By: 2", "Balsa-Last-Contact: 40")
	expect(t, h, "HEAD /client/kv", "", 200, ``, "Balsa-Revision: 7")
	expect(t, h, "GET /client/get/b", "", 200, `{"key":"b","value":"two words"}`,
		"Balsa-Revision: 7", "Balsa-Consistency: stale")
	expect(t, h, "GET /client/get/a//b", "", 200, `{"key":"a//b","value":""}`)
	expect(t, h, "GET /client/get/missing", "", 404, `{"error":"key not found","leader_hint":3}`,
		"Balsa-Revision: 7")
}
