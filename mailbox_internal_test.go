package balsa

import (
	"slices"
	"testing"
	"time"

	"balsa/raft"
	"balsa/replica"
)

// A loop that fails in the midst of those who ask has not heard those behind: they are told so when it ends,
// and not left to wait.
func TestWhoAsksBehindAFailureIsAnswered(t *testing.T) {
	a := &askers{came: make(chan struct{}, 1)}
	event := func(raft.Ticket) replica.Event { return nil }
	var asked []*request
	for len(asked) < 3 {
		r, _ := a.put(question{event: event})
		asked = append(asked, r)
		if len(asked) == 2 {
			a.all() // the loop begins with them, and fails
		}
	}
	if left := a.close(); !slices.Equal(left, asked) {
		t.Errorf("%d of %d who ask are left to answer", len(left), len(asked))
	}
}

// What was taken is not kept until somebody else asks: it may hold the image of a whole state.
func TestWhatWasTakenIsNotKept(t *testing.T) {
	a := &askers{came: make(chan struct{}, 1)}
	a.put(question{proposed: replica.Proposed{Command: []byte("x")}})
	a.all()
	a.all()
	if slices.ContainsFunc(a.spare[:cap(a.spare)], func(r *request) bool { return r != nil }) {
		t.Error("a request is kept that was taken")
	}
}

// The loop lets others go first as long as that takes no time, and rests from it where they keep it waiting.
func TestTheLoopYieldsToWhoIsQuick(t *testing.T) {
	const ms = raft.Time(time.Millisecond)
	var y yields
	y.took(1000*ms, 1004*ms)
	if y.again != 0 {
		t.Errorf("after 4 ms it rests until %v", y.again)
	}
	y.took(1000*ms, 1010*ms)
	if y.again != 2010*ms {
		t.Errorf("after 10 ms it rests until %v", y.again)
	}
}
