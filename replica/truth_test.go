package replica

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"balsa/raft"
)

// truth sees all servers of a random world and is told of everything that reaches a disk, a wire, a machine
// or a caller. It fails the test as soon as two of these contradict each other:
//
//	Figure 3   election safety, log matching, leader completeness, state machine safety
//	promises   what a message says is on its sender's disk when it leaves
//	answers    each ticket gets one; Done is durable on a majority and brings its own result;
//	           what is known not to have been applied never is
type truth struct {
	t       testing.TB
	disks   []*modelLog // what each server's disk has for certain
	leaders map[raft.Term]raft.NodeID
	logs    map[raft.Term]map[raft.Index]raft.EntryID // of each leader, as far as it was sent
	entries map[raft.EntryID]known                    // all that ever reached a disk or a wire

	committed []raft.Entry // what was first handed out to be applied anywhere
	ordinals  []int        // for each of them, how many commands there are up to it
	tickets   []ticket
	byCommand map[string]raft.Ticket
}

// known is an entry and the one before it.
type known struct {
	raft.Entry
	before raft.EntryID
}

// ticket is one proposal.
type ticket struct {
	command  string
	answered bool
	fate     Fate
	applied  raft.Index // where, on whatever server; 0: nowhere
	dead     bool       // its server crashed: nobody waits any more
}

func newTruth(t testing.TB, disks []*modelLog) *truth {
	return &truth{
		t: t, disks: disks,
		leaders:   map[raft.Term]raft.NodeID{},
		logs:      map[raft.Term]map[raft.Index]raft.EntryID{},
		entries:   map[raft.EntryID]known{},
		byCommand: map[string]raft.Ticket{},
	}
}

// proposes makes a ticket for a command that no other has.
func (u *truth) proposes() (raft.Ticket, []byte) {
	number := raft.Ticket(len(u.tickets) + 1)
	command := fmt.Sprintf("command %d", number)
	u.tickets = append(u.tickets, ticket{command: command})
	u.byCommand[command] = number
	return number, []byte(command)
}

// leads: at most one leader in a term (§5.2), and it holds everything committed before (§5.4.3).
func (u *truth) leads(id raft.NodeID, term raft.Term, last raft.EntryID) {
	u.t.Helper()
	if before, known := u.leaders[term]; known && before != id {
		u.t.Fatalf("servers %v and %v both lead term %d", before, id, term)
	}
	if u.leaders[term] == id {
		return
	}
	u.leaders[term] = id
	if n := len(u.committed); n > 0 && !last.AtLeast(u.committed[n-1].ID()) {
		u.t.Fatalf("server %v leads %d with a log to %v, without %v", id, term, last, u.committed[n-1].ID())
	}
}

// holds: the same index and term mean the same entry after the same entry, wherever they are (§5.3, Log
// Matching).
func (u *truth) holds(before raft.EntryID, entries []raft.Entry) {
	u.t.Helper()
	for _, e := range entries {
		if was, met := u.entries[e.ID()]; !met {
			u.entries[e.ID()] = known{e, before}
		} else if was.before != before || !reflect.DeepEqual(was.Entry, e) {
			u.t.Fatalf("entry %+v after %v is elsewhere %+v after %v", e, before, was.Entry, was.before)
		}
		if e.Index != before.Index+1 {
			u.t.Fatalf("entry %v follows %v", e.ID(), before)
		}
		if e.Time < u.entries[before].Time {
			u.t.Fatalf("the log time goes back from %v to %v", before, e.ID())
		}
		before = e.ID()
	}
}

// wrote: a disk has taken a write. It never loses what is committed (§5.4.3: nothing may replace it).
func (u *truth) wrote(id raft.NodeID, w Write) {
	u.t.Helper()
	disk := u.disks[id-1]
	if len(w.Entries) > 0 {
		first := w.Entries[0].Index
		for i := first; i <= raft.Index(min(len(u.committed), len(disk.entries))); i++ {
			had := disk.entries[i-1].ID() == u.committed[i-1].ID()
			has := int(i-first) < len(w.Entries) && w.Entries[i-first].ID() == u.committed[i-1].ID()
			if had && !has {
				u.t.Fatalf("server %v replaces %v, which is committed", id, u.committed[i-1].ID())
			}
		}
	}
	if err := disk.Append(w.State, w.Entries, w.Peers...); err != nil {
		u.t.Fatalf("server %v, write %d: %v", id, w.Number, err)
	}
	if len(w.Entries) > 0 {
		u.holds(disk.before(w.Entries[0].Index), w.Entries)
	}
	if n := len(disk.entries); n > 0 && disk.entries[n-1].Term > disk.state.Term {
		u.t.Fatalf("the disk of server %v in term %d ends in %v", id, disk.state.Term, disk.entries[n-1].ID())
	}
}

// before names the entry before an index.
func (l *modelLog) before(index raft.Index) raft.EntryID {
	if index < 2 {
		return raft.EntryID{}
	}
	return l.entries[index-2].ID()
}

func (l *modelLog) holds(id raft.EntryID) bool {
	return id.Index > 0 && int(id.Index) <= len(l.entries) && l.entries[id.Index-1].ID() == id
}

// sends: what a message promises is on the disk when it leaves.
func (u *truth) sends(id raft.NodeID, m raft.Message) {
	u.t.Helper()
	disk := u.disks[id-1]
	promise := func(term raft.Term, vote raft.NodeID) {
		u.t.Helper()
		if s := disk.state; s.Term < term || s.Term == term && vote != raft.None && s.Vote != vote {
			u.t.Fatalf("server %v sends %+v, and its disk has %+v", id, m, s)
		}
	}
	switch m := m.(type) {
	case raft.RequestVote:
		promise(m.Term, id)
	case raft.AppendEntries:
		promise(m.Term, id)
		u.holds(m.Prev, m.Entries)
		u.sentBy(m)
	case raft.AppendEntriesResponse:
		promise(m.Term, raft.None)
		if m.Match > 0 && !m.Rejected {
			if claimed := u.leaderEntry(m.Term, m.Match); !disk.holds(claimed) {
				u.t.Fatalf("server %v acknowledges %v, its disk has %v", id, claimed, idsOf(disk.entries))
			}
		}
	}
}

// grants is sends for a vote, whose receiver stands on the envelope.
func (u *truth) grants(id, to raft.NodeID, m raft.RequestVoteResponse) {
	u.t.Helper()
	s := u.disks[id-1].state
	if s.Term < m.Term || m.Granted && s.Term == m.Term && s.Vote != to {
		u.t.Fatalf("server %v sends %+v to %v, and its disk has %+v", id, m, to, s)
	}
}

// leaderEntry names the entry at an index of a leader's log: one that it sent, or one before.
func (u *truth) leaderEntry(term raft.Term, index raft.Index) raft.EntryID {
	id, known := raft.EntryID{}, false
	for at := index; !known && int(at) <= len(u.entries); at++ {
		id, known = u.logs[term][at]
	}
	for id.Index > index {
		id = u.entries[id].before
	}
	return id
}

func (u *truth) sentBy(m raft.AppendEntries) {
	if u.logs[m.Term] == nil {
		u.logs[m.Term] = map[raft.Index]raft.EntryID{}
	}
	u.logs[m.Term][m.Prev.Index] = m.Prev
	for _, e := range m.Entries {
		u.logs[m.Term][e.Index] = e.ID()
	}
}

// applies: entries are handed out to be applied. Everybody applies the same in the same order (Figure 3),
// and what anybody applies is durable on a majority.
func (u *truth) applies(id raft.NodeID, entries []raft.Entry) {
	u.t.Helper()
	for _, e := range entries {
		switch n := raft.Index(len(u.committed)); {
		case e.Index > n+1:
			u.t.Fatalf("server %v applies %v, and nobody has applied %d", id, e.ID(), n+1)
		case e.Index <= n:
			if !reflect.DeepEqual(e, u.committed[e.Index-1]) {
				u.t.Fatalf("server %v applies %+v, others %+v", id, e, u.committed[e.Index-1])
			}
		default:
			u.commit(e)
		}
		if !u.disks[id-1].holds(e.ID()) {
			u.t.Fatalf("server %v applies %v, which its own disk does not have", id, e.ID())
		}
	}
}

func (u *truth) commit(e raft.Entry) {
	u.t.Helper()
	u.durable(e.ID())
	ordinal := 0
	if n := len(u.ordinals); n > 0 {
		ordinal = u.ordinals[n-1]
	}
	if e.Kind == raft.Normal {
		ordinal++
	}
	u.committed, u.ordinals = append(u.committed, e), append(u.ordinals, ordinal)
}

func (u *truth) durable(id raft.EntryID) {
	u.t.Helper()
	count := 0
	for _, disk := range u.disks {
		if disk.holds(id) {
			count++
		}
	}
	if count <= len(u.disks)/2 {
		u.t.Fatalf("%v is on %d of %d disks and counts as committed", id, count, len(u.disks))
	}
}

// applied: a machine has been given a command, as its nth. No command is applied twice, and none whose
// caller was told that it was not and never will be.
func (u *truth) applied(id raft.NodeID, e raft.Entry, nth int) {
	u.t.Helper()
	if e.Kind != raft.Normal {
		u.t.Fatalf("the machine of server %v is given %v, a %v", id, e.ID(), e.Kind)
	}
	if int(e.Index) > len(u.committed) || !reflect.DeepEqual(e, u.committed[e.Index-1]) {
		u.t.Fatalf("the machine of server %v is given %v, which is not committed", id, e.ID())
	}
	if want := u.ordinals[e.Index-1]; nth != want {
		u.t.Fatalf("the machine of server %v is given %v as command %d, not %d", id, e.ID(), nth, want)
	}
	k := &u.tickets[u.byCommand[string(e.Command)]-1]
	if k.applied != 0 && k.applied != e.Index {
		u.t.Fatalf("%s is applied at %d and at %d", k.command, k.applied, e.Index)
	}
	k.applied = e.Index
	if applied, known := k.fate.Applied(); k.answered && known && !applied {
		u.t.Fatalf("server %v applies %s, whose caller was told fate %d", id, k.command, k.fate)
	}
}

// answers: a caller gets what it is told.
func (u *truth) answers(id raft.NodeID, a Answer) {
	u.t.Helper()
	k := &u.tickets[a.Ticket-1]
	if k.answered || k.dead {
		u.t.Fatalf("server %v answers %+v, after fate %d (dead: %v)", id, a, k.fate, k.dead)
	}
	k.answered, k.fate = true, a.Fate
	appended := a.Entry != raft.EntryID{}
	mustBe := a.Fate == Done || a.Fate == Replaced || a.Fate == LeadershipLost
	mayBe := mustBe || a.Fate == Stopped ||
		a.Fate == Unanswered // of a forwarded one the place may not be known
	if mustBe && !appended || appended && !mayBe {
		u.t.Fatalf("the answer %+v names no entry although it was appended, or the reverse", a)
	}
	if e, met := u.entries[a.Entry]; appended && met && string(e.Command) != k.command {
		u.t.Fatalf("%s is answered for %v, which is %q", k.command, a.Entry, e.Command)
	}
	if a.Fate == Done {
		u.done(k, a)
		return
	}
	if _, known := a.Fate.Applied(); known && k.applied != 0 || a.Result != nil {
		u.t.Fatalf("%s is applied at %d, its caller is told %+v", k.command, k.applied, a)
	}
}

func (u *truth) done(k *ticket, a Answer) {
	u.t.Helper()
	if k.applied != a.Entry.Index || u.committed[k.applied-1].ID() != a.Entry {
		u.t.Fatalf("%s is applied at %d, its caller is told %+v", k.command, k.applied, a)
	}
	u.durable(a.Entry)
	want := resultOf(u.committed[k.applied-1], u.ordinals[k.applied-1])
	if !bytes.Equal(a.Result, []byte(want)) {
		u.t.Fatalf("%s got the result %q, its own is %q", k.command, a.Result, want)
	}
}

// crashed: whoever waited at that server is gone with it.
func (u *truth) crashed(waiting map[raft.Ticket]bool) {
	for number := range waiting {
		if k := &u.tickets[number-1]; !k.answered {
			k.dead = true
		}
	}
}
