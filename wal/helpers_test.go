package wal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

func identity() Identity {
	return Identity{
		Cluster: raft.ClusterID{1, 2, 3}, Node: 2, Incarnation: 0xfeedface,
		Bootstrap: raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "b:2", 3: "c:3"}),
	}
}

func small() Options { return Options{Identity: identity(), SegmentBytes: MinSegmentBytes} }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v\nwant %v", err, want)
	}
}

// boot opens the log on a disk as a new process.
func boot(m *disk.Memory, o Options) (*Log, Recovered, error) {
	dir, err := m.Open()
	if err != nil {
		return nil, Recovered{}, err
	}
	return Open(dir, o)
}

// mustBoot does so where nothing may go wrong.
func mustBoot(t testing.TB, m *disk.Memory, o Options) (*Log, Recovered) {
	t.Helper()
	m.Kill()
	l, r, err := boot(m, o)
	ok(t, err)
	return l, r
}

// inspect reads a disk as a process that only looks.
func inspect(m *disk.Memory) (Recovered, error) {
	m.Kill()
	dir, err := m.Open()
	if err != nil {
		return Recovered{}, err
	}
	r, err := Inspect(dir)
	return r, errors.Join(err, dir.Close())
}

// entry makes an entry whose command depends on its place, with size bytes.
func entry(term raft.Term, index raft.Index, size int) raft.Entry {
	e := raft.Entry{Term: term, Index: index, Time: raft.Time(index) * 1000, Kind: raft.Normal}
	if size > 0 {
		e.Command = bytes.Repeat([]byte{byte(index) | 1}, size)
	}
	return e
}

// contents is what a log must hold.
type contents struct {
	state   raft.HardState
	before  raft.EntryID
	entries []raft.Entry
	peers   map[raft.NodeID]raft.Acquaintance
}

func (c contents) last() raft.Index { return c.before.Index + raft.Index(len(c.entries)) }

// id names an entry, the one before the first included.
func (c contents) id(index raft.Index) raft.EntryID {
	if index == c.before.Index {
		return c.before
	}
	return c.entries[index-c.before.Index-1].ID()
}

// after returns what the log holds when a batch was appended.
func (c contents) after(s step) contents {
	if s.state != nil {
		c.state = *s.state
	}
	if s.restart != nil {
		c.before, c.entries = *s.restart, nil
	}
	if s.release > c.before.Index {
		id := c.id(s.release)
		c.before, c.entries = id, c.entries[id.Index-c.before.Index:]
	}
	if len(s.entries) > 0 {
		c.entries = slices.Concat(c.entries[:s.entries[0].Index-1-c.before.Index], s.entries)
	}
	if len(s.peers) > 0 {
		c.peers = maps.Clone(c.peers)
		if c.peers == nil {
			c.peers = map[raft.NodeID]raft.Acquaintance{}
		}
		for _, p := range s.peers {
			c.peers[p.Node] = p
		}
	}
	return c
}

func (c contents) equal(r Recovered) bool {
	return c.state == r.State && c.before == r.Before &&
		slices.EqualFunc(c.entries, r.Entries, equalEntries) && maps.Equal(c.peers, held(r).peers)
}

func equalEntries(a, b raft.Entry) bool {
	return a.ID() == b.ID() && a.Time == b.Time && a.Kind == b.Kind && bytes.Equal(a.Command, b.Command)
}

func (c contents) String() string {
	s := fmt.Sprintf("term %d vote %d behind %v:", c.state.Term, c.state.Vote, c.before)
	for _, e := range c.entries {
		s += fmt.Sprintf(" %v(%d)", e.ID(), len(e.Command))
	}
	return s + fmt.Sprint(" peers ", c.peers)
}

func held(r Recovered) contents {
	c := contents{state: r.State, before: r.Before, entries: r.Entries}
	return c.after(step{peers: r.Peers})
}

// step is one Append, Restart or Release of a history.
type step struct {
	state   *raft.HardState
	entries []raft.Entry
	peers   []raft.Acquaintance
	restart *raft.EntryID
	release raft.Index
}

func (s step) append(l *Log) error {
	if s.restart != nil {
		return l.Restart(*s.restart)
	}
	if s.release > 0 {
		return l.Release(s.release)
	}
	return l.Append(s.state, s.entries, s.peers...)
}

// draw draws the next step of a history: entries behind the last one, or in place of some of the last,
// mostly small, sometimes larger than a segment; often a new term or vote; now and then a release, or a
// restart behind an entry that the log has, or has another one for, or does not reach.
func draw(r *rand.Rand, c contents) step {
	var s step
	term := max(1, c.state.Term, c.before.Term)
	switch r.IntN(12) {
	case 0, 1:
		s.release = c.before.Index + raft.Index(r.IntN(int(c.last()-c.before.Index)+1))
		return s
	case 2:
		id := raft.EntryID{Term: term, Index: max(1, c.before.Index+raft.Index(r.IntN(20)))}
		s.restart = &id
		return s
	}
	if r.IntN(3) == 0 {
		term += raft.Term(r.IntN(2))
		s.state = &raft.HardState{Term: max(term, c.state.Term), Vote: raft.NodeID(r.IntN(4))}
	}
	s.peers = drawPeers(r, c)
	if (s.state != nil || len(s.peers) > 0) && r.IntN(3) == 0 {
		return s
	}
	first := c.last() + 1
	if r.IntN(4) == 0 {
		first -= raft.Index(r.IntN(min(len(c.entries)+1, 6)))
	}
	for i := range 1 + raft.Index(r.IntN(3)) {
		s.entries = append(s.entries, entry(term, first+i, sizes[r.IntN(len(sizes))]))
	}
	if last := c.id(first - 1); last.Term > term {
		return step{state: &raft.HardState{Term: last.Term}}
	}
	return s
}

// drawPeers draws, now and then, that peers were started again, or were met with another data directory.
func drawPeers(r *rand.Rand, c contents) (news []raft.Acquaintance) {
	for id := raft.NodeID(1); id < 5 && r.IntN(3) > 0; id += 1 + raft.NodeID(r.IntN(3)) {
		p, known := c.peers[id]
		p.Node, p.Start = id, p.Start+uint64(r.IntN(3))
		if !known || r.IntN(5) == 0 {
			p.Incarnation, p.Start = raft.Incarnation(r.Uint64()), 1
		}
		news = append(news, p)
	}
	return news
}

var sizes = [...]int{0, 1, 5, 24, 40, 100, 200, 700}
