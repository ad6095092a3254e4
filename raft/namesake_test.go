package raft_test

import (
	"slices"
	"testing"

	"balsa/raft"
)

// namesakes is a cluster in which id 3 was one data directory, was removed, and is another one since, which
// is about to get a vote. Servers 1 and 2 hold the entries up to the one that added it.
type namesakes struct {
	t       *testing.T
	cores   map[string]*raft.Core
	letters map[string][]raft.Letter // sent by each
}

// The data directories, by name.
var directories = map[string]raft.Member{"1": {ID: 1, Incarnation: 101}, "2": {ID: 2, Incarnation: 102},
	"old": {ID: 3, Incarnation: 103}, "new": {ID: 3, Incarnation: 203}}

func newNamesakes(t *testing.T) *namesakes {
	n := &namesakes{t: t, cores: map[string]*raft.Core{}, letters: map[string][]raft.Letter{}}
	whole := raft.NewConfiguration(map[raft.NodeID]string{1: "a", 2: "b", 3: "c"})
	named := whole.Clone()
	for i, name := range []string{"1", "2", "old"} {
		named.Members[i].Incarnation = directories[name].Incarnation
	}
	leaves := named.Clone()
	leaves.Voters, leaves.Outgoing = []raft.NodeID{1, 2}, named.Voters
	left := leaves.Clone()
	left.Outgoing, left.Members = nil, left.Members[:2]
	added := left.Clone()
	added.Members = append(added.Members, raft.Member{ID: 3, Incarnation: 203, Address: "d"})
	added.Learners = []raft.NodeID{3}
	promoted := added.Clone()
	promoted.Voters, promoted.Outgoing, promoted.Learners = []raft.NodeID{1, 2, 3}, left.Voters, nil

	var entries []raft.Entry
	for i, c := range []raft.Configuration{named, leaves, left, added, promoted} {
		entries = append(entries, raft.Entry{Term: 1, Index: raft.Index(i + 1),
			Kind: raft.ConfigurationChange, Command: c.AppendTo(nil)})
	}
	for name, m := range directories {
		restored := raft.Restored{HardState: raft.HardState{Term: 1}, Members: whole,
			Incarnation: m.Incarnation, Entries: entries[:4]}
		if name == "new" {
			restored.Members, restored.Joins, restored.Entries = raft.Configuration{}, true, entries
		}
		c, err := raft.New(raft.Config{ID: m.ID}, restored)
		if err != nil {
			t.Fatal(err)
		}
		n.cores[name] = c
	}
	return n
}

// step feeds one input to a server, and has its disk take what is to be written.
func (n *namesakes) step(name string, in raft.Input) {
	c := n.cores[name]
	c.Step(0, in)
	for out := c.Output(); out.Write > 0 || len(out.Messages) > 0; out = c.Output() {
		n.letters[name] = append(n.letters[name], out.Messages...)
		c.Step(0, raft.Persisted{Write: out.Write})
	}
}

// deliver brings what a server has sent to another.
func (n *namesakes) deliver(from, to string) {
	letters := n.letters[from]
	n.letters[from] = slices.DeleteFunc(slices.Clone(letters),
		func(l raft.Letter) bool { return l.To == directories[to].ID })
	for _, l := range letters {
		if l.To == directories[to].ID {
			n.step(to, raft.Receive{From: directories[from].ID, Incarnation: directories[from].Incarnation,
				Sequence: l.Sequence, Message: l.Message})
		}
	}
}

// exchange has both voters hear a server, and it hear them.
func (n *namesakes) exchange(name string) {
	for _, voter := range []string{"1", "2"} {
		n.deliver(name, voter)
		n.deliver(voter, name)
	}
}

// TestTwoDirectoriesOfOneIDDoNotLeadOneTerm: both campaign in term 2, and a vote names an id alone, so one
// that was given to the first may be given to the other again. So one of them must know better: the entry
// that names the other would not be there if its own removal were not committed.
func TestTwoDirectoriesOfOneIDDoNotLeadOneTerm(t *testing.T) {
	n := newNamesakes(t)
	for _, name := range []string{"old", "new"} {
		n.step(name, raft.ElectionTimeout{})
		n.exchange(name) // pre-votes
	}
	for _, name := range []string{"old", "new"} {
		n.exchange(name)
		t.Logf("%s: %v of term %d", name, n.cores[name].Role(), n.cores[name].Term())
	}
	old, other := n.cores["old"], n.cores["new"]
	if old.Role() == raft.Leader && other.Role() == raft.Leader && old.Term() == other.Term() {
		t.Error("two leaders in one term")
	}
	if old.Role() != raft.Follower || other.Role() != raft.Leader {
		t.Errorf("the old one is %v, the new one %v", old.Role(), other.Role())
	}
}
