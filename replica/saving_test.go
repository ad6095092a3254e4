package replica

import (
	"testing"

	"balsa/raft"
)

// proceed performs what there is to be done but for what saves.
func (b *bench) proceed() {
	b.t.Helper()
	for len(b.writes)+len(b.applies)+len(b.captures) > 0 {
		switch {
		case len(b.writes) > 0:
			b.write()
		case len(b.applies) > 0:
			b.apply()
		default:
			b.capture()
		}
	}
}

// follow has server 2, leading term 1, send so many entries one by one, which are committed.
func (b *bench) follow(entries int) {
	b.t.Helper()
	for range entries {
		last := b.Status().Last
		b.do(b.from(2, appends(1, last.Index+1, last, 1)))
		b.proceed()
	}
}

// A server that is slow to save, and has applied as much as makes the next snapshot due, applies on when it
// is elected: otherwise it would serve nobody, and send heartbeats for ever when its disk hangs.
func TestALeaderServesWhileItSaves(t *testing.T) {
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{}, func(c *Config) { c.Core.NoCheckQuorum = true })
	b.follow(12)
	if n := len(b.saves); n != 1 || !b.HeldUp() || b.Applied() == 12 {
		t.Fatalf("%d snapshots are saved, and %d of 12 applied: it does not wait", n, b.Applied())
	}
	for b.Status().Role != raft.Leader {
		b.pass(1)
		b.proceed()
		switch term := b.Status().Term; b.Status().Role {
		case raft.PreCandidate:
			b.do(b.from(3, raft.PreVoteResponse{Term: term + 1, Granted: true}))
		case raft.Candidate:
			b.do(b.from(3, raft.RequestVoteResponse{Term: term, Granted: true}))
		}
	}
	b.proceed()
	b.acknowledge(3)
	b.proceed()
	if b.HeldUp() {
		t.Errorf("it leads, and applies nothing behind %d", b.Applied())
	}
	ticket := b.ask()
	b.beat(3)
	b.proceed()
	if a := b.answer(ticket); a.Fate != Done || b.HeldUp() {
		t.Errorf("a read: %+v; applied %d of %v", a, b.Applied(), b.Status().Last)
	}
	if b.save(); b.Failure() != nil {
		t.Errorf("the end of it: %v", b.Failure())
	}
}

// What a follower holds back for its snapshot it applies as soon as somebody there waits for it.
func TestWhoWaitsAtAFollowerThatSaves(t *testing.T) {
	for name, wait := range map[string]func(*bench) raft.Ticket{
		"for an index": func(b *bench) raft.Ticket {
			b.do(Awaited{Ticket: 800, Index: 12})
			return 800
		},
		"to read": func(b *bench) raft.Ticket {
			ticket := b.ask()
			b.do(b.from(2, told(messagesOf[raft.ForwardRead](b)[0], 12)))
			return ticket
		},
		"for a command": func(b *bench) raft.Ticket {
			ticket := b.propose("x")
			last := b.Status().Last
			b.do(b.from(2, appends(1, last.Index+1, last, 1)))
			b.do(b.from(2, placed(messagesOf[raft.ForwardProposal](b)[0], at(13, 1))))
			return ticket
		},
	} {
		b := holdKept(t, 3, &modelLog{}, &modelSnapshots{})
		b.follow(12)
		held := b.HeldUp()
		ticket := wait(b)
		b.proceed()
		if a := b.answer(ticket); !held || a.Fate != Done {
			t.Errorf("%s: held up %v, answered %+v", name, held, a)
		}
	}
}

// A failure is none any more when the leader has sent a newer snapshot than the one that failed.
func TestAReceivedSnapshotMakesUpForAFailedOne(t *testing.T) {
	s := sends(t, 1, 1, 1, 1, 1)
	b := holdKept(t, 3, &modelLog{}, &modelSnapshots{}, eager)
	b.do(b.from(2, appends(1, 2, at(0, 0), 1, 1)))
	b.proceed()
	b.disk.fail = errFull
	b.save()
	if _, err := b.SnapshotFailure(); err == nil {
		t.Fatal("it did not fail")
	}
	b.arrive(s)
	b.settle()
	if _, err := b.SnapshotFailure(); err != nil || b.Newest().Last != s.last() {
		t.Errorf("the newest is %v, and the failure %v", b.Newest().Last, err)
	}
}
