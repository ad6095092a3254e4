package replica

import (
	"testing"

	"balsa/raft"
)

// TestAnswersToAnotherStartAreNotHeard: a directory was put back, and votes that were given to its later
// start are still on their way.
func TestAnswersToAnotherStartAreNotHeard(t *testing.T) {
	of := func(incarnation raft.Incarnation, start uint64) func(*raft.Envelope, *bench) {
		return func(e *raft.Envelope, b *bench) {
			e.Sequence = e.Sequence&coreMask | lifeOf(raft.Identity{Incarnation: incarnation, Start: start})
		}
	}
	for name, test := range map[string]struct {
		ask    func(*raft.Envelope, *bench)
		counts bool
	}{
		"to this start":       {func(e *raft.Envelope, b *bench) {}, true},
		"to a later start":    {of(101, 6), false},
		"to an earlier start": {of(101, 4), false},
		"to another disk":     {of(103, 5), false},
		"to no request":       {func(e *raft.Envelope, b *bench) { e.Sequence = 0 }, false},
		"by hand": {func(e *raft.Envelope, b *bench) {
			e.From.Cluster, e.Sequence = raft.ClusterID{}, 7
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := hold(t, 3, &modelLog{}, func(c *Config) {
				c.Identity.Start, c.Core.NoPreVote, c.ByHand = 5, true, true
			})
			for range 100 {
				if b.pass(1); b.Status().Role == raft.Candidate {
					break
				}
			}
			b.settle()
			vote := b.from(2, raft.RequestVoteResponse{Term: b.Status().Term, Granted: true})
			test.ask(&vote.Envelope, b)
			b.do(vote)
			if leads := b.Status().Role == raft.Leader; leads != test.counts {
				t.Errorf("it leads: %v", leads)
			}
		})
	}
}

// TestRequestsBearTheirStart: the number comes back to the core as it was.
func TestRequestsBearTheirStart(t *testing.T) {
	b := hold(t, 3, &modelLog{}, func(c *Config) { c.Identity.Start = 1<<lifeBits + 9 })
	life := lifeOf(raft.Identity{Incarnation: identity(1).Incarnation, Start: 1<<lifeBits + 9})
	b.lead()
	for _, e := range b.sent {
		other := e.Sequence&^coreMask != life
		if other && !raft.IsResponse(e.Message) || e.Sequence&coreMask == 0 {
			t.Errorf("%T has the sequence %#x", e.Message, e.Sequence)
		}
	}
	last := b.sent[len(b.sent)-1]
	answer := raft.Envelope{From: identity(2), To: 1, Sequence: last.Sequence,
		Message: raft.AppendEntriesResponse{Term: b.Status().Term, Round: 1}}
	if !b.mine(&answer) || answer.Sequence != last.Sequence&coreMask {
		t.Errorf("the answer to %#x comes to the core as %#x", last.Sequence, answer.Sequence)
	}
}

// TestAnswersToAnothersForwardAreNotHeard: a server with an emptied disk forwards its first command, and an
// answer to the first command of the disk before comes. It names an entry that holds somebody else's.
func TestAnswersToAnothersForwardAreNotHeard(t *testing.T) {
	for _, emptied := range []bool{false, true} {
		b := hold(t, 3, &modelLog{})
		b.do(b.from(2, raft.AppendEntries{Term: 1, Round: 1}))
		b.settle()
		b.propose("a")
		answer := b.from(2, raft.ForwardProposalResponse{Leader: 1, Start: 1, Number: 1, Entry: at(1, 1)})
		if emptied {
			answer.Envelope.Sequence ^= b.life() | lifeOf(raft.Identity{Incarnation: 999, Start: 1})
		}
		b.do(answer)
		if open := b.origin.open; len(open) != 1 || open[0].placed() == emptied {
			t.Errorf("emptied: %v, open: %+v", emptied, open)
		}
	}
}
