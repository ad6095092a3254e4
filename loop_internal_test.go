package balsa

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"balsa/raft"
	"balsa/replica"
)

// TestReadersDoNotKeepTheLoop: readers who are answered at once, and ask again at once, get a bounded number
// of rounds in one turn of the loop, and the rest in the next.
func TestReadersDoNotKeepTheLoop(t *testing.T) {
	l := soleLeader(t)
	all := slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})
	l.logger = slog.New(&eager{Handler: all, l: l})
	for range 3 {
		before := l.stats.ReadRounds
		l.readers.join(linearizable)
		l.beginRounds()
		l.carryOut()
		if n := l.stats.ReadRounds - before; n == 0 || n > followUps+1 {
			t.Errorf("%d rounds in one turn, at most %d are allowed", n, followUps+1)
		}
		select {
		case <-l.askers.came:
		default:
			t.Error("nothing wakes the loop for those who still wait")
		}
	}
}

// eager is a listener who asks for another round as soon as it hears of the end of one.
type eager struct {
	slog.Handler
	l     *loop
	heard int
}

func (e *eager) Handle(context.Context, slog.Record) error {
	if e.heard++; e.heard > 1000 {
		panic("it is kept for ever")
	}
	e.l.readers.join(linearizable)
	return nil
}

// soleLeader is the loop of the only node of a cluster, which leads. It does not run.
func soleLeader(t *testing.T) *loop {
	t.Helper()
	who := raft.Identity{Cluster: raft.ClusterID{1}, Node: 1, Incarnation: 1, Start: 1}
	r, err := replica.New(replica.Config{
		Core:     raft.Config{ID: 1, Heartbeat: 5, ElectionMin: 15, ElectionMax: 30, Events: true},
		Identity: who, Tick: raft.Time(tick),
	}, raft.Restored{Members: raft.NewConfiguration(map[raft.NodeID]string{1: "a"})})
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(r, who, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	machine := replica.NewMachine(still{})
	for now := l.clock.now(); r.Applied() == 0; now += raft.Time(tick) {
		r.Step(now, replica.Awake{})
		for _, w := range r.Work() {
			switch w := w.(type) {
			case replica.Write:
				r.Step(now, replica.Wrote{Number: w.Number})
			case replica.Apply:
				r.Step(now, w.Perform(machine))
			}
		}
	}
	return l
}

// still is a state machine that has no state.
type still struct{}

func (still) Apply(Entry) []byte             { return nil }
func (still) Snapshot() (io.WriterTo, error) { return nil, nil }
func (still) Restore(io.Reader) error        { return nil }
