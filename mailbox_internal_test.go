package balsa

import (
	"slices"
	"testing"

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
		r, _ := a.put(event, noRead)
		asked = append(asked, r)
		if len(asked) == 2 {
			a.all() // the loop begins with them, and fails
		}
	}
	if left := a.close(); !slices.Equal(left, asked) {
		t.Errorf("%d of %d who ask are left to answer", len(left), len(asked))
	}
}
