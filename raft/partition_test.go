package raft_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"balsa/raft"
)

// Partial partitions. In 2020 one of them kept a cluster of another system without a leader for six hours:
// servers that did not hear the leader went on deposing whoever it was. Pre-vote, check-quorum and
// stickiness together must bring any network to rest in which some majority is fully connected.

// mesh is five servers with disks that never wait, and which of them hears whom.
type mesh struct {
	cores [5]*raft.Core
	hears [5][5]bool // hears[a][b]: what b sends reaches a
	mail  []mail
	done  map[raft.Ticket]bool
	now   raft.Time
}

func newMesh(t *testing.T, seed uint64) *mesh {
	t.Helper()
	m := &mesh{done: map[raft.Ticket]bool{}}
	addresses := map[raft.NodeID]string{}
	for i := range m.cores {
		addresses[raft.NodeID(i+1)] = ""
	}
	for i := range m.cores {
		core, err := raft.New(raft.Config{
			ID: raft.NodeID(i + 1), Heartbeat: testHeartbeat, Seed: seed + uint64(i),
			ElectionMin: testElectionMin, ElectionMax: testElectionMax,
		}, raft.Restored{Members: raft.NewConfiguration(addresses)})
		if err != nil {
			t.Fatal(err)
		}
		m.cores[i] = core
		for j := range m.cores {
			m.hears[i][j] = true
		}
	}
	return m
}

func (m *mesh) step(i int, in raft.Input) {
	core := m.cores[i]
	core.Step(m.now, in)
	for {
		out := core.Output()
		for _, l := range out.Messages {
			if m.hears[l.To-1][i] {
				m.mail = append(m.mail, mail{raft.NodeID(i + 1), l.To, l.Sequence, l.Message, 0, 0})
			}
		}
		for _, r := range out.Readings {
			m.done[r.Ticket] = r.Refusal == raft.Accepted
		}
		if n := len(out.Committed); n > 0 {
			core.Step(m.now, raft.Applied{Index: out.Committed[n-1].Index})
		}
		if out.Write == 0 {
			return
		}
		core.Step(m.now, raft.Persisted{Write: out.Write})
	}
}

// pass lets ticks go by. What is sent in one arrives before the next.
func (m *mesh) pass(ticks int) {
	for range ticks {
		m.now++
		for i := range m.cores {
			m.step(i, raft.Tick{})
		}
		for len(m.mail) > 0 {
			l := m.mail[0]
			m.mail = m.mail[1:]
			m.step(int(l.to)-1, raft.Receive{From: l.from, Sequence: l.sequence, Message: l.message})
		}
	}
}

// leader returns the server that leads the highest term, and that term.
func (m *mesh) leader() (at int, term raft.Term) {
	at = -1
	for i, c := range m.cores {
		if c.Role() == raft.Leader && c.Term() > term {
			at, term = i, c.Term()
		}
	}
	return at, term
}

// comesToRest demands that a leader is found, keeps its term, commits and confirms reads.
func (m *mesh) comesToRest(t *testing.T, what string) {
	t.Helper()
	m.pass(30 * testElectionMax)
	first, term := m.leader()
	if first < 0 {
		t.Fatalf("%s: nobody leads", what)
	}
	commit := m.cores[first].Commit()
	m.step(first, raft.Propose{Ticket: 1, Command: []byte("x")})
	m.step(first, raft.ReadIndex{Ticket: 1})
	m.pass(10 * testElectionMax)
	if now, later := m.leader(); now != first || later != term {
		t.Fatalf("%s: server %d led term %d, and then server %d term %d", what, first+1, term, now+1, later)
	}
	if m.cores[first].Commit() <= commit || !m.done[1] {
		t.Fatalf("%s: server %d leads term %d and commits nothing, or confirms no read", what, first+1, term)
	}
}

// clique reports whether three servers hear each other, both ways.
func (m *mesh) clique() bool {
	both := func(a, b int) bool { return m.hears[a][b] && m.hears[b][a] }
	for a := range 5 {
		for b := range a {
			for c := range b {
				if both(a, b) && both(a, c) && both(b, c) {
					return true
				}
			}
		}
	}
	return false
}

// TestEveryPartialPartitionWithAMajorityComesToRest tries all 1024 networks of five servers: each pair
// hears each other, or does not.
func TestEveryPartialPartitionWithAMajorityComesToRest(t *testing.T) {
	tried := 0
	for pairs := range 1 << 10 {
		m := newMesh(t, uint64(pairs))
		m.pass(5 * testElectionMax) // somebody leads before the partition
		bit := 0
		for a := range 5 {
			for b := range a {
				m.hears[a][b] = pairs>>bit&1 == 1
				m.hears[b][a] = m.hears[a][b]
				bit++
			}
		}
		if m.clique() {
			tried++
			m.comesToRest(t, fmt.Sprintf("network %010b", pairs))
		}
	}
	if tried != 636 {
		t.Errorf("tried %d networks with a majority, there are 636", tried)
	}
}

// TestHalfConnectedNetworksWithAMajorityComeToRest: links that work one way only, drawn at random.
func TestHalfConnectedNetworksWithAMajorityComeToRest(t *testing.T) {
	tried := 0
	for seed := uint64(1); tried < 300; seed++ {
		dice := rand.New(rand.NewPCG(seed, 2))
		m := newMesh(t, seed)
		m.pass(5 * testElectionMax)
		for a := range 5 {
			for b := range 5 {
				m.hears[a][b] = a == b || dice.IntN(3) > 0
			}
		}
		if m.clique() {
			tried++
			m.comesToRest(t, fmt.Sprintf("seed %d, %v", seed, m.hears))
		}
	}
}
