package sim

import (
	"testing"

	"balsa/raft"
	"balsa/replica"
)

// seen is what can be seen of a run from outside.
type seen struct {
	ticks   int            // of n1, while the fault is on
	asked   int            // requests of all clients, while the fault is on
	wrote   int            // writes of n1 that ended, while the fault is on
	applied int            // applies of n1 that ended, while the fault is on
	taken   int            // messages that n1 took, while the fault is on
	longest Time           // that a message was on its way from n1 to n2
	ahead   raft.Time      // of what n1's clock should show, at the end
	jumped  raft.Time      // the most that it was so, before n1 starts anew
	config  replica.Config // of n1's last start
	dropped int            // messages
	leaders int            // elections that were won
	died    int
}

// The fault of a row begins at begin. Then n1 starts anew at again, whether the row has a fault or not.
const (
	begin  = 1500 * Millisecond
	again  = 4 * Second
	finish = 5 * Second
)

// eyes is a server that shows what its world shows to it.
type eyes struct {
	Server
	see func(raft.Time)
}

func (e eyes) Step(now raft.Time, event replica.Event) {
	e.see(now)
	e.Server.Step(now, event)
}

// watch runs a script and looks.
func watch(t *testing.T, script ...Op) (s seen) {
	t.Helper()
	script = append(script, Op{At: again, Kind: Kill, Node: 1}, Op{At: again, Kind: Restart, Node: 1})
	spec := small(5, script...)
	spec.Options.Faulty, spec.Options.Healed, spec.Options.Patience = finish, 0, 3*Second
	spec.Options.Apply, spec.Options.Disk = Millisecond, 2*Millisecond
	sent := map[uint64]Time{}
	var w *World
	parts := Parts{Observe: func(r Record) { s.note(r, sent) }}
	parts.Server = func(c replica.Config, r raft.Restored) (Server, error) {
		engine, err := replica.New(c, r)
		if c.Core.ID != 1 {
			return engine, err
		}
		s.config = c
		return eyes{engine, func(now raft.Time) {
			if w != nil {
				s.ahead = now - raft.Time(1_700_000_000)*raft.Time(Second) - raft.Time(w.now)
				if w.now < again {
					s.jumped = max(s.jumped, s.ahead)
				}
			}
		}}, err
	}
	w = world(t, spec, parts)
	if v := w.Run().Violation; v != nil {
		t.Errorf("%v: %v", script, v)
	}
	return s
}

// note takes an event.
func (s *seen) note(r Record, sent map[uint64]Time) {
	if r.Kind == Sent && r.Node == 1 && r.Peer == 2 {
		sent[r.N] = r.Time
	}
	if r.Kind == Delivered && r.Node == 2 && r.Peer == 1 {
		s.longest = max(s.longest, r.Time-sent[r.N])
	}
	if _, won := r.Event.(raft.BecameLeader); won {
		s.leaders++
	}
	if r.Kind == Dropped {
		s.dropped++
	}
	if r.Kind == Died {
		s.died++
	}
	if r.Time < begin || r.Time >= again-Second {
		return
	}
	switch {
	case r.Kind == Called:
		s.asked++
	case r.Node != 1:
	case r.Kind == Ticked:
		s.ticks++
	case r.Kind == Written:
		s.wrote++
	case r.Kind == Applied:
		s.applied++
	case r.Kind == Delivered:
		s.taken++
	}
}

// A fault that does nothing is no fault, and no run would tell: it would only be easier to pass. So each of
// them is seen from outside, against the same run without it.
func TestEveryFaultDoesSomething(t *testing.T) {
	to2 := []Link{{From: 1, To: 2}}
	all := []Link{{From: 2, To: 1}, {From: 3, To: 1}}
	for _, c := range []struct {
		op     Op
		differ func(without, with seen) bool
	}{
		{Op{Kind: Clock, Value: 2 * exact}, func(a, b seen) bool { return b.ticks > a.ticks*19/10 }},
		{Op{Kind: Clock, Value: exact / 2}, func(a, b seen) bool { return b.ticks < a.ticks*11/20 }},
		{Op{Kind: Clock, Value: frozen}, func(a, b seen) bool { return b.ticks <= 1 && a.ticks > 100 }},
		{Op{Kind: Clock, For: Second}, func(a, b seen) bool {
			return a.jumped == 0 && b.jumped == raft.Time(Second)
		}},
		{Op{Kind: Clock, Mode: "wall", For: Minute}, func(a, b seen) bool {
			return a.ahead == 0 && b.ahead == raft.Time(Minute)
		}},
		{Op{Kind: Clock, Mode: "wall", For: -Minute}, func(a, b seen) bool {
			return a.ahead == 0 && b.ahead == -raft.Time(Minute)
		}},
		{Op{Kind: Slow, Value: 50}, func(a, b seen) bool {
			return b.wrote > 0 && b.wrote < a.wrote/2 && b.longest > 5*a.longest
		}},
		{Op{Kind: Lag, Links: to2, For: 100 * Millisecond}, func(a, b seen) bool {
			return b.longest > a.longest+80*Millisecond
		}},
		{Op{Kind: Clog, Links: to2, For: Second}, func(a, b seen) bool {
			return b.longest > 500*Millisecond && a.longest < 50*Millisecond
		}},
		{Op{Kind: Load, Value: 10}, func(a, b seen) bool { return b.asked > 4*a.asked }},
		{Op{Kind: Flags, Mode: "prevote"}, func(a, b seen) bool {
			return b.config.Core.NoPreVote && !a.config.Core.NoPreVote && !b.config.Core.NoCheckQuorum
		}},
		{Op{Kind: Flags, Mode: "checkquorum"}, func(a, b seen) bool {
			return b.config.Core.NoCheckQuorum && !a.config.Core.NoCheckQuorum && !b.config.Core.NoPreVote
		}},
		{Op{Kind: DiskStall, For: again - begin}, func(a, b seen) bool {
			return b.wrote == 0 && a.wrote > 10
		}},
		{Op{Kind: ApplySlow, Value: 500}, func(a, b seen) bool { return b.applied < 10 && a.applied > 20 }},
		{Op{Kind: Cut, Links: all}, func(a, b seen) bool { return b.taken == 0 && b.dropped > a.dropped }},
		{Op{Kind: Hold, Links: all}, func(a, b seen) bool { return b.taken == 0 && b.dropped == a.dropped }},
		{Op{Kind: Stall}, func(a, b seen) bool { return b.ticks+b.taken+b.wrote == 0 && a.ticks > 0 }},
		{Op{Kind: Kill}, func(a, b seen) bool { return b.ticks == 0 && b.died == a.died }}, // but earlier
	} {
		c.op.At, c.op.Node = begin, 1
		without, with := watch(t), watch(t, c.op)
		if !c.differ(without, with) {
			t.Errorf("%v: nothing of it is to be seen:\nwithout %+v\nwith    %+v", c.op, without, with)
		}
	}
}
