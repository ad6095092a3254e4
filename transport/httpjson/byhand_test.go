package httpjson

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"balsa/raft"
)

// What a person sends and reads with curl, word for word.
func TestAPersonDrivesANodeByHand(t *testing.T) {
	for _, c := range []struct {
		path, body string
		want       raft.Message
		response   raft.Message
		answer     string // how it begins: the paper's fields first
	}{
		{
			"/raft/request_vote", `{"term":4,"candidate_id":2,"last_log_index":7,"last_log_term":3}`,
			raft.RequestVote{Term: 4, Last: raft.EntryID{Term: 3, Index: 7}},
			raft.RequestVoteResponse{Term: 4, Granted: true}, `{"term":4,"vote_granted":true,`,
		},
		{
			"/raft/pre_vote", `{"term":4,"candidate_id":2,"last_log_index":7,"last_log_term":3}`,
			raft.PreVote{Term: 4, Last: raft.EntryID{Term: 3, Index: 7}},
			raft.PreVoteResponse{Term: 9}, `{"term":9,"vote_granted":false,`,
		},
		{
			"/raft/append_entries", `{"term":4,"leader_id":2,"prev_log_index":7,"prev_log_term":3,
				"entries":[{"term":3,"command":"SET a b c"},{"term":4,"command":""}],"leader_commit":6}`,
			raft.AppendEntries{
				Term: 4, Prev: raft.EntryID{Term: 3, Index: 7}, Commit: 6,
				Entries: []raft.Entry{
					{Term: 3, Index: 8, Kind: raft.Normal, Command: []byte("SET a b c")},
					{Term: 4, Index: 9, Kind: raft.Normal},
				},
			},
			raft.AppendEntriesResponse{Term: 4, Match: 9}, `{"term":4,"success":true,`,
		},
		{
			"/raft/append_entries", `{"term":4,"leader_id":2,"prev_log_index":0,"prev_log_term":0,
				"entries":[],"leader_commit":0}`,
			raft.AppendEntries{Term: 4},
			raft.AppendEntriesResponse{Term: 5, Rejected: true}, `{"term":5,"success":false,`,
		},
		{
			"/raft/install_snapshot", `{"term":4,"leader_id":2,"last_included_index":7,"last_included_term":3,
				"size":9,"offset":0,"data":"AQID"}`,
			raft.InstallSnapshot{
				Term: 4, Last: raft.EntryID{Term: 3, Index: 7}, Size: 9, Data: []byte{1, 2, 3},
			},
			raft.InstallSnapshotResponse{Term: 4, Last: raft.EntryID{Term: 3, Index: 7}, Next: 3},
			`{"term":4,"last_included_index":7,"last_included_term":3,"next_offset":3,"complete":false`,
		},
	} {
		n := start(t, Config{ByHand: true}, func(n *node, e raft.Envelope) {
			if e.From != (raft.Identity{Node: 2}) || e.To != 1 || !reflect.DeepEqual(e.Message, c.want) {
				t.Errorf("%s: received %+v", c.path, e)
			}
			n.respond(e, c.response)
		})
		if status, answer := n.curl(c.path, c.body); status != 200 || !strings.HasPrefix(answer, c.answer) {
			t.Errorf("%s: %d %s", c.path, status, answer)
		}
	}
}

// What this version does not act on is refused at once, and not passed on.
func TestWhatThisVersionDoesNotActOnIsSaidSo(t *testing.T) {
	n := start(t, Config{ByHand: true}, func(_ *node, e raft.Envelope) { t.Errorf("received %+v", e) })
	status, answer := n.curl("/raft/timeout_now", `{"term":4,"leader_id":2}`)
	if status != 501 || !strings.Contains(answer, "this version") {
		t.Errorf("%d %s", status, answer)
	}
}

// A report has the form of a response and answers nothing: whatever number it claims, it is nobody's answer.
func TestAReportHasNoAnswer(t *testing.T) {
	received := make(chan raft.Envelope, 1)
	n := start(t, Config{}, func(_ *node, e raft.Envelope) { received <- e })
	const cluster = `"cluster":"c1000000000000000000000000000000"`
	status, answer := n.curl("/raft/append_entries_response",
		`{"term":4,"success":true,"match_index":7,"holds_index":8,"node":2,"to":1,"sequence":1,`+cluster+`}`)
	if status != 202 || answer != "" {
		t.Errorf("%d %s", status, answer)
	}
	want := raft.Message(raft.AppendEntriesResponse{Term: 4, Match: 7, Holds: 8})
	if e := next(t, received); e.Message != want || e.From.Node != 2 || e.Sequence != 0 {
		t.Errorf("received %+v", e)
	}
	status, answer = n.curl("/raft/append_entries_response", `{"term":4,"success":true,`+cluster+`}`)
	wantProblem(t, "a report of nobody", status, answer, 400, `"node" is missing`)
}

func TestWithoutByHandAStrangerIsRefused(t *testing.T) {
	n := start(t, Config{}, receiveNothing)
	status, answer := n.curl("/raft/request_vote", `{"term":4,"candidate_id":2}`)
	wantProblem(t, "a message by hand", status, answer, 403, "only with --raft-by-hand")
	if !strings.Contains(answer, `"reason":6`) {
		t.Errorf("no reason for programs in %s", answer)
	}
}

// A person claims nothing but an id: whatever else is said about the sender is not believed.
func TestByHandOnlyTheIDIsBelieved(t *testing.T) {
	n := start(t, Config{ByHand: true}, func(n *node, e raft.Envelope) {
		if e.From != (raft.Identity{Node: 2}) {
			t.Errorf("received from %+v", e.From)
		}
		n.respond(e, raft.RequestVoteResponse{Term: 1})
	})
	n.curl("/raft/request_vote", `{"candidate_id":2,"incarnation":"7","start":8,"configuration":9}`)
}

// Many write by hand in the name of one node, while that node speaks for itself: everybody gets the answer to
// the own question.
func TestNobodyGetsTheResponseOfAnother(t *testing.T) {
	var mutex sync.Mutex
	var waiting []raft.Envelope
	const people = 10
	n := start(t, Config{ByHand: true}, func(n *node, e raft.Envelope) {
		mutex.Lock()
		defer mutex.Unlock()
		if waiting = append(waiting, e); len(waiting) < people+1 {
			return
		}
		for i := range waiting { // the last is answered first
			e := waiting[len(waiting)-1-i]
			n.respond(e, raft.RequestVoteResponse{Term: e.Message.(raft.RequestVote).Term})
		}
	})
	answers := make(chan raft.Envelope, 1)
	config := Config{Self: two, Peers: map[raft.NodeID]string{1: n.Address()}}
	peer := start(t, config, func(_ *node, e raft.Envelope) { answers <- e })
	var group sync.WaitGroup
	for i := range people {
		group.Go(func() {
			question := fmt.Sprintf(`{"term":%d,"candidate_id":2,"sequence":9}`, i)
			_, answer := n.curl("/raft/request_vote", question)
			if want := fmt.Sprintf(`{"term":%d,`, i); !strings.HasPrefix(answer, want) {
				t.Errorf("question %d was answered with %s", i, answer)
			}
			if strings.Contains(answer, "sequence") {
				t.Errorf("an answer to nobody's sequence names one: %s", answer)
			}
		})
	}
	if err := peer.Send(identified(2, 1, raft.RequestVote{Term: 100})); err != nil {
		t.Error(err)
	}
	group.Wait()
	e := next(t, answers)
	if e.Message != raft.Message(raft.RequestVoteResponse{Term: 100}) || e.Sequence != 9 {
		t.Errorf("the node itself was answered with %+v", e)
	}
}

func TestARefusedIdentityIs403(t *testing.T) {
	n := start(t, Config{ByHand: true}, func(n *node, e raft.Envelope) {
		n.respond(e, raft.IdentityRefused{Why: raft.SameID})
	})
	status, answer := n.curl("/raft/request_vote", `{"term":4,"candidate_id":1}`)
	wantProblem(t, "an id that is taken", status, answer, 403, "give every node an --id of its own")
	if !strings.Contains(answer, `"reason":3`) {
		t.Errorf("no reason for programs in %s", answer)
	}
}
