package replica

import (
	"testing"

	"balsa/raft"
)

// TestTakesNothingFromALeaderThatWouldCountIt: a server that repairs itself says so in its answers, and a
// program of version 0 does not read that. What such a leader would count is not even looked at, or entries
// could be committed on a disk that may have lost what they replace.
func TestTakesNothingFromALeaderThatWouldCountIt(t *testing.T) {
	entries := raft.AppendEntries{Term: 5, Entries: entriesOf(1, 5)}
	chunk := raft.InstallSnapshot{Term: 5, Last: at(9, 5), Size: 100}
	old := func(e *raft.Envelope) { e.From.Version = 0 }
	newer := func(e *raft.Envelope) { e.From.Version = 1 }
	for _, c := range []struct {
		name    string
		repairs bool
		message raft.Message
		from    func(*raft.Envelope)
		taken   bool
	}{
		{"entries of an old leader", true, entries, old, false},
		{"a heartbeat of an old leader", true, raft.AppendEntries{Term: 5}, old, false},
		{"a snapshot of an old leader", true, chunk, old, false},
		{"entries of a newer leader", true, entries, newer, true},
		{"a snapshot of a newer leader", true, chunk, newer, true},
		{"entries by hand", true, entries, nobody, true}, // a person reads the answer
		{"a vote for an old program", true, raft.RequestVote{Term: 5}, old, true},
		{"entries of an old leader, if sound", false, entries, old, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := &modelLog{state: raft.HardState{Term: 4}, repairs: c.repairs}
			b := hold(t, 3, log, func(config *Config) { config.ByHand = true })
			b.do(envelope(c.message, c.from))
			b.settle()
			s := b.Status()
			if taken := s.Term == 5; taken != c.taken || !taken && len(b.sent) > 0 {
				t.Errorf("term %d, leader %v, answers %v", s.Term, s.Leader, b.sent)
			}
			for _, e := range b.sent {
				if m, is := e.Message.(raft.AppendEntriesResponse); is && m.Repairing != c.repairs {
					t.Errorf("it answers %+v", m)
				}
				if m, is := e.Message.(raft.RequestVoteResponse); is && m.Granted {
					t.Error("it gives its vote")
				}
			}
			if s.Repair.On != c.repairs || !c.taken && (s.Leader != raft.None || s.Last.Index > 0) {
				t.Errorf("%+v", s)
			}
		})
	}
}
