package explore

import (
	"testing"

	"balsa/raft"
)

// TestAloneChecksComplain shows each check of one server a breach that the core's own assertions would
// otherwise report first.
func TestAloneChecksComplain(t *testing.T) {
	entries := []raft.Entry{{Term: 1, Index: 1, Kind: raft.NoOp}, {Term: 1, Index: 2, Kind: raft.NoOp}}
	st := stride{server: &server{id: 1, hard: raft.HardState{Term: 2, Vote: 1}, disk: entries[:1]}}
	for want, check := range map[string]func(){
		"Terms rise":           func() { st.checkVote(raft.HardState{Term: 3}) },
		"One vote":             func() { st.checkVote(raft.HardState{Term: 2, Vote: 3}) },
		"State Machine Safety": func() { st.checkApply(entries[1:]) },
		"Applied is durable":   func() { st.checkApply(entries) },
	} {
		func() {
			defer func() {
				if v, ok := recover().(*violation); !ok || v.Property != want {
					t.Errorf("want %q, got %v", want, v)
				}
			}()
			check()
		}()
	}
}
