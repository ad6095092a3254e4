package balsa_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/raft"
)

// eventually waits in real time until a condition holds, for at most d.
func eventually(t *testing.T, d time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(d); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// tally keeps the length of what it was given, and how many bytes of it were zero.
type tally struct{ recorder }

func (s *tally) Apply(e balsa.Entry) []byte {
	s.recorder.Apply(balsa.Entry{Index: e.Index, Command: []byte("one")})
	return bytes.Repeat([]byte{'.'}, bytes.Count(e.Command, []byte{0})%100)
}

// onLoopback opens three nodes with the default transport, on ports of the system's choice and in
// directories.
func onLoopback(t *testing.T) (nodes []*balsa.Node, machines []*tally) {
	t.Helper()
	peers := map[raft.NodeID]string{}
	var taken []io.Closer // until all are chosen, or one could be chosen twice
	for id := raft.NodeID(1); id <= 3; id++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		peers[id] = l.Addr().String()
		taken = append(taken, l)
	}
	for _, l := range taken {
		_ = l.Close()
	}
	for id := raft.NodeID(1); id <= 3; id++ {
		m := &tally{}
		n, err := balsa.Open(balsa.Config{ID: id, Dir: t.TempDir(), Peers: peers, StateMachine: m,
			MaxCommand:  largest,
			ElectionMin: 3 * time.Second, ElectionMax: 5 * time.Second}) // three nodes share two cores
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes, machines = append(nodes, n), append(machines, m)
	}
	return nodes, machines
}

// largest is the largest command of nodes on loopback: more than entries share a message with, so that it is
// what bounds a message, and not so much that a busy machine with the race detector is at it for a minute.
const largest = 5 << 18

// TestTheLargestCommandTravelsInTheWorstForm: as JSON a byte may take six, and the longest key comes on top.
// A message that the transport refuses for its size would be sent again for ever, and nothing after it would
// be committed. On a busy machine the message may take longer than an election: the key makes it safe to
// propose it again.
func TestTheLargestCommandTravelsInTheWorstForm(t *testing.T) {
	nodes, machines := onLoopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command, key := make([]byte, largest), strings.Repeat("\x01", 128)
	for {
		leader, err := nodes[0].AwaitLeader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		applied, err := nodes[leader-1].ProposeOnce(ctx, key, time.Hour, command)
		if errors.Is(err, balsa.ErrNotLeader) || errors.Is(err, balsa.ErrNoLeader) ||
			errors.Is(err, balsa.ErrLeadershipLost) {
			continue
		}
		if err != nil || len(applied.Result) != len(command)%100 {
			t.Fatalf("%d bytes, %v", len(applied.Result), err)
		}
		break
	}
	eventually(t, time.Minute, "applied everywhere", func() bool {
		for _, m := range machines {
			if strings.Join(m.applied(), " ") != "one" {
				return false
			}
		}
		return true
	})
}

// TestACommandThatNeverReachedTheLeaderIsKnownNotToBeApplied: the leader's process is gone and nobody has
// noticed yet. A refused connection proves that nothing arrived, so the caller may try again at once, and
// need not wait to be told that nobody knows.
func TestACommandThatNeverReachedTheLeaderIsKnownNotToBeApplied(t *testing.T) {
	nodes, _ := onLoopback(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	leader, err := nodes[0].AwaitLeader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	follower := nodes[leader%3]
	if _, err := follower.AwaitLeader(ctx); err != nil {
		t.Fatal(err)
	}
	if err := nodes[leader-1].Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 1500*time.Millisecond, "a command is known not to be applied", func() bool {
		try, stop := context.WithTimeout(ctx, 500*time.Millisecond)
		defer stop()
		_, err := follower.Propose(try, []byte("x"))
		var e *balsa.Error
		return errors.As(err, &e) && errors.Is(err, balsa.ErrNotLeader) && e.Outcome == balsa.NotApplied
	})
}
