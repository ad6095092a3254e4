package balsa_test

import (
	"bytes"
	"io"
	"runtime"
	"sync/atomic"
	"testing"

	"balsa"
)

// heavy is a state machine whose results are counted as long as somebody keeps them.
type heavy struct{ alive *atomic.Int64 }

func (h heavy) Apply(balsa.Entry) []byte {
	p := new([1 << 16]byte)
	h.alive.Add(1)
	runtime.AddCleanup(p, func(n *atomic.Int64) { n.Add(-1) }, h.alive)
	return p[:]
}

func (heavy) Snapshot() (io.WriterTo, error) { return &bytes.Buffer{}, nil }
func (heavy) Restore(io.Reader) error        { return nil }

// TestResultsAreNotKept: a node keeps no result that its caller has.
func TestResultsAreNotKept(t *testing.T) {
	h := heavy{new(atomic.Int64)}
	node, err := balsa.Open(balsa.Config{ID: 1, Dir: t.TempDir(), StateMachine: h,
		Peers: map[balsa.NodeID]string{1: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if _, err := node.AwaitLeader(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := node.Propose(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for tries := 0; h.alive.Load() > 2; tries++ {
		if tries == 50 {
			t.Fatalf("%d results are alive", h.alive.Load())
		}
		runtime.GC()
		node.Status() // lets the loop go on
	}
}
