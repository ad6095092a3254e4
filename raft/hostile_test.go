package raft

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What a peer can send is refused and counted, never asserted: a server that panics on a message can be
// stopped by anybody, and an honest one may be taken over.

// liar makes up messages whose numbers lie near those that the server knows, or far beyond.
type liar struct {
	dice *rand.Rand
	core *Core
}

func (l liar) number(near uint64) uint64 {
	switch l.dice.IntN(8) {
	case 0:
		return 0
	case 1:
		return math.MaxUint64 - uint64(l.dice.IntN(3))
	case 2:
		return 1 << 62
	}
	return uint64(max(0, int64(near)+int64(l.dice.IntN(7))-3))
}

func (l liar) term() Term   { return Term(l.number(uint64(l.core.hard.Term))) }
func (l liar) index() Index { return Index(l.number(uint64(l.core.log.last().Index))) }
func (l liar) round() Round { return Round(l.number(uint64(l.core.leading.round))) }
func (l liar) yes() bool    { return l.dice.IntN(2) == 0 }

// id is one of the log's entries, half of the time.
func (l liar) id() EntryID {
	if last := l.core.log.last().Index; l.yes() {
		base := l.core.log.base.Index
		return l.core.log.id(base + Index(l.dice.IntN(int(last-base)+1)))
	}
	return EntryID{Term: l.term(), Index: l.index()}
}

func (l liar) entries(after EntryID) (all []Entry) {
	index := after.Index
	for range l.dice.IntN(4) {
		if index++; l.dice.IntN(10) == 0 {
			index = l.index()
		}
		e := Entry{Term: max(after.Term, l.term()), Index: index, Kind: Kind(l.dice.IntN(6)),
			Time: Time(l.dice.Uint64())}
		if e.Kind == ConfigurationChange && l.dice.IntN(4) > 0 {
			e.Command = l.configuration().AppendTo(nil)
		}
		all = append(all, e)
	}
	return all
}

// configuration is one that servers could act on, whatever was in force before.
func (l liar) configuration() Configuration {
	c := three()
	c.Voters, c.AutoPromote = nil, l.yes()
	c.Members = append(c.Members, Member{ID: 4, Incarnation: Incarnation(l.dice.IntN(2))})
	for _, m := range c.Members {
		switch l.dice.IntN(3) {
		case 0:
			c.Voters = append(c.Voters, m.ID)
		case 1:
			c.Learners = append(c.Learners, m.ID)
		default:
			c.Outgoing = append(c.Outgoing, m.ID)
		}
	}
	if len(c.Voters) == 0 {
		return three()
	}
	return c
}

func (l liar) message() Message {
	switch l.dice.IntN(12) {
	case 8, 9:
		size := l.number(10)
		offset := min(size, l.number(5))
		return InstallSnapshot{Term: l.term(), Last: l.id(), Size: size, Offset: offset,
			Data: make([]byte, min(l.dice.Uint64N(5), size-offset))}
	case 10:
		return InstallSnapshotResponse{Term: l.term(), Last: l.id(), Next: l.number(10), Complete: l.yes()}
	case 0:
		return PreVote{Term: l.term(), Last: l.id()}
	case 1:
		return PreVoteResponse{Term: l.term(), Granted: l.yes()}
	case 2:
		return RequestVote{Term: l.term(), Last: l.id(), Forced: l.yes()}
	case 3:
		return RequestVoteResponse{Term: l.term(), Granted: l.yes()}
	case 4:
		prev := l.id()
		return AppendEntries{
			Term:    l.term(),
			Prev:    prev,
			Entries: l.entries(prev),
			Commit:  l.index(),
			Round:   l.round(),
		}
	case 5, 6:
		return AppendEntriesResponse{Term: l.term(), Round: l.round(), Match: l.index(), Rejected: l.yes(),
			Conflict: l.id(), Holds: l.index(), Busy: l.yes()}
	case 7:
		return ForwardRead{Leader: l.term(), Number: l.number(0)}
	}
	return TimeoutNow{Term: l.term(), Round: l.round()}
}

// TestNoMessageStopsAServer: whatever two liars say, in whatever role it is.
func TestNoMessageStopsAServer(t *testing.T) {
	roles, installs := map[Role]int{}, 0
	for seed := range uint64(300) {
		dice := rand.New(rand.NewPCG(seed, 4))
		c := newCore(t, Restored{})
		c.config.NoPreVote, c.config.Events = dice.IntN(2) == 0, false
		c.config.Limits.BacklogBytes, c.config.Limits.Window = 100+dice.IntN(500), 1+dice.IntN(4)
		c.config.Limits.TrailingBytes = dice.IntN(2)*dice.IntN(200) - 1
		l := liar{dice: dice, core: c}
		var writes []Write
		for range 600 {
			switch dice.IntN(6) {
			case 0:
				for range dice.IntN(20) {
					c.Step(0, Tick{})
				}
			case 1:
				if len(writes) > 0 {
					c.Step(0, Persisted{Write: writes[0]})
					writes = writes[1:]
				}
			case 2:
				c.Step(0, Propose{Command: make([]byte, dice.IntN(100))})
				c.Step(0, ReadIndex{})
				c.Step(0, Transfer{To: NodeID(dice.IntN(5))})
				leaves := []NodeID{NodeID(dice.IntN(5))}
				c.Step(0, ChangeMembership{Change: Change{Force: true, Remove: leaves}})
				c.Step(0, ChangeMembership{Change: Change{Force: true, Add: []Member{{ID: 2}, {ID: 4}}}})
			case 3:
				l.elect()
			default:
				c.Step(
					0,
					Receive{From: NodeID(dice.IntN(5)), Sequence: Sequence(l.number(uint64(c.sequence))),
						Message: l.message()},
				)
			}
			c.Audit()
			out := c.Output()
			if out.Write > 0 {
				writes = append(writes, out.Write)
			}
			if n := len(out.Committed); n > 0 && dice.IntN(2) == 0 {
				c.Step(0, Applied{Index: out.Committed[n-1].Index})
			}
			installs += l.drive(out.Chunks)
			roles[c.role]++
		}
	}
	for role := Follower; role <= Leader; role++ {
		if roles[role] < 1000 {
			t.Errorf("was %v in %d of all steps only", role, roles[role])
		}
	}
	if installs < 100 {
		t.Errorf("installed %d snapshots only", installs)
	}
}

// drive is what a correct driver does about snapshots: it takes its own, and stores what arrives. A snapshot
// that contradicts what is committed it never gets to install, as its machine would have been the lie's.
func (l liar) drive(chunks []Chunk) (installs int) {
	c := l.core
	if at := c.appliedIndex; at > c.snapshot.Last.Index && l.dice.IntN(20) == 0 {
		e := *c.log.at(at)
		s := Snapshot{Last: e.ID(), Time: e.Time}
		s.Members, s.MembersIndex = c.MembersAt(at)
		c.Step(0, Snapshotted{Snapshot: s})
	}
	for _, chunk := range chunks {
		m := chunk.Message
		c.Step(0, ChunkStored{From: chunk.From, Sequence: chunk.Sequence, Term: m.Term, Last: m.Last,
			Next: l.number(m.Size)})
		lie := !c.log.holds(m.Last) && (m.Last.Index <= c.commitIndex || c.role == Leader)
		if l.yes() && !lie && m.Last.Index < 1<<40 {
			installs++
			s := Snapshot{Last: m.Last, Size: m.Size}
			s.Members, s.MembersIndex = c.MembersAt(m.Last.Index)
			c.Step(0, Installed{Snapshot: s})
		}
	}
	return installs
}

// elect votes for the server, so that the liars meet a leader too.
func (l liar) elect() {
	c := l.core
	switch c.role {
	case PreCandidate:
		c.Step(0, Receive{From: 2, Message: PreVoteResponse{Term: c.hard.Term + 1, Granted: true}})
	case Candidate:
		c.Step(0, Persisted{Write: c.outbox.written})
		c.Step(0, Receive{From: 2, Message: RequestVoteResponse{Term: c.hard.Term, Granted: true}})
	}
}

// TestClaimsBeyondWhatWasSentAreRefused: an answer that names what the leader never sent is counted, and
// nothing of it is believed.
func TestClaimsBeyondWhatWasSentAreRefused(t *testing.T) {
	for name, m := range map[string]AppendEntriesResponse{
		"match": {Term: 1, Round: 1, Match: 2},
		"holds": {Term: 1, Round: 1, Holds: 2},
		"round": {Term: 1, Round: 2},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCore(t, Restored{})
			leadNow(t, c)
			c.Output()
			tickTimes(c, 1)
			c.Step(0, Receive{From: 2, Message: m})
			if p := c.peer(2); c.refused != 1 || p.match != 0 || p.round != 0 || p.silent != 1 {
				t.Errorf("refused %d, believes match %d, round %d, silence %d", c.refused, p.match, p.round,
					p.silent)
			}
		})
	}
}

// TestARejectionIsContact: a follower whose log is being brought into line answers with nothing but
// rejections for a while, and the leader must not take it for dead.
func TestARejectionIsContact(t *testing.T) {
	c := newCore(t, Restored{})
	leadNow(t, c)
	for range 3 * c.config.ElectionMin {
		c.Step(0, Receive{From: 2, Message: AppendEntriesResponse{Term: 1, Round: 1, Rejected: true}})
		c.Step(0, Tick{})
	}
	if c.role != Leader {
		t.Errorf("it is %v", c.role)
	}
}

// TestWaitingReadsAreBounded: a leader whose no-op is not committed would collect them without end.
func TestWaitingReadsAreBounded(t *testing.T) {
	c := newCore(t, Restored{})
	leadNow(t, c)
	for ticket := range Ticket(maxReads + 3) {
		c.Step(0, ReadIndex{Ticket: ticket})
	}
	if got := c.Output().Readings; len(got) != 3 ||
		got[0] != (Reading{Ticket: maxReads, Refusal: Overloaded}) {
		t.Errorf("answers %+v", got)
	}
	c.Step(0, Receive{From: 2, Message: AppendEntriesResponse{Term: 2, Rejected: true}})
	if got := c.Output().Readings; len(got) != maxReads || got[0].Refusal != NotLeader {
		t.Errorf("%d of %d are answered when it is deposed", len(got), maxReads)
	}
}
