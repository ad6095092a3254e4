package raft_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"balsa/raft"
)

// FuzzCore feeds one server whatever the bytes say: messages of any content from anybody, ticks, proposals,
// late acknowledgements of its disk, crashes. The driver keeps its side of the contract; the peers need not
// be correct. Nothing may panic, a clone must go on identically, and even so no promise may leave before it
// is durable.
func FuzzCore(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x3f\x05\x03\xff\x01\x01\x00\x03\x00\x01\x05"))
	f.Add([]byte("\x01\x01\x01\x02\x05\x01\x01\x00\x00\x05\x00\x03\xff\x05\x02\x05"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &hostileScript{bytes: data}
		v := newVictim(t, s.next())
		for steps := 0; len(s.bytes) > 0 && steps < 150; steps++ {
			v.act(s)
		}
		v.collect()
	})
}

// hostileScript reads decisions from bytes; after the end everything is zero.
type hostileScript struct{ bytes []byte }

func (s *hostileScript) next() byte {
	if len(s.bytes) == 0 {
		return 0
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return b
}

// number is small, so that numbers meet each other, or at an edge.
func (s *hostileScript) number() uint64 {
	edges := []uint64{
		math.MaxUint64, math.MaxUint64 - 1, 1 << 63, 1<<63 - 1, 1 << 62, 1<<62 + 1, 1 << 32, 1000,
	}
	b := s.next()
	if b >= 0xf0 {
		return edges[int(b)%len(edges)]
	}
	return uint64(b % 10)
}

func (s *hostileScript) id() raft.EntryID {
	return raft.EntryID{Term: raft.Term(s.number()), Index: raft.Index(s.number())}
}

func (s *hostileScript) flag() bool { return s.next()%2 == 1 }

func (s *hostileScript) message() raft.Message {
	kind, term := s.next(), raft.Term(s.number())
	switch kind % 12 {
	case 10:
		m := raft.InstallSnapshot{Term: term, Last: s.id(), Size: s.number(), Offset: s.number()}
		m.Data = make([]byte, s.next()%4)
		return m
	case 11:
		return raft.InstallSnapshotResponse{Term: term, Last: s.id(), Next: s.number(), Complete: s.flag()}
	case 0:
		return raft.PreVote{Term: term, Last: s.id()}
	case 1:
		return raft.PreVoteResponse{Term: term, Granted: s.flag()}
	case 2:
		return raft.RequestVote{Term: term, Last: s.id(), Forced: s.flag()}
	case 3:
		return raft.RequestVoteResponse{Term: term, Granted: s.flag()}
	case 4, 5, 6:
		return raft.AppendEntriesResponse{
			Term: term, Round: raft.Round(s.number()), Match: raft.Index(s.number()),
			Rejected: s.flag(), Conflict: s.id(), Busy: s.flag(),
		}
	case 7:
		others := []raft.Message{
			raft.InstallSnapshot{Term: term}, raft.TimeoutNow{Term: term},
			raft.ForwardProposal{Leader: term}, raft.ForwardProposalResponse{Leader: term},
			raft.ForwardRead{Leader: term}, raft.ForwardReadResponse{Leader: term}, raft.IdentityRefused{},
		}
		return others[int(s.next())%len(others)]
	}
	return s.appendEntries(term)
}

// appendEntries is well-formed more often than not: nonsense alone gets no further than the first check.
func (s *hostileScript) appendEntries(term raft.Term) raft.AppendEntries {
	m := raft.AppendEntries{Term: term, Prev: s.id()}
	m.Commit, m.Round = raft.Index(s.number()), raft.Round(s.number())
	shape := s.next()
	for i := range raft.Index(shape % 4) {
		e := raft.Entry{Term: term, Index: m.Prev.Index + 1 + i, Kind: raft.Normal}
		if shape >= 0x80 {
			e.Term = raft.Term(s.number())
			e.Kind = raft.Kind(s.next() % 6)
			e.Time = raft.Time(s.number())
			if e.Kind == raft.ConfigurationChange && s.flag() {
				third := raft.NodeID(2 + s.next()%4)
				members := raft.NewConfiguration(map[raft.NodeID]string{1: "", 2: "", third: ""})
				members.Outgoing = members.Voters[:s.next()%4%byte(len(members.Voters))]
				e.Command = members.AppendTo(nil)
			}
		}
		if shape >= 0xf0 {
			e.Index = raft.Index(s.number())
		}
		m.Entries = append(m.Entries, e)
	}
	return m
}

// victim is one server with a disk and a correct driver.
type victim struct {
	*testing.T
	config  raft.Config
	members raft.Configuration
	core    *raft.Core
	disk    raft.Restored
	writes  []raft.Output
	handed  raft.Index // committed entries handed out
	votes   map[raft.Term]raft.NodeID
	chunks  []raft.Chunk   // to be stored
	arrived *raft.Snapshot // on the disk, not installed
}

func newVictim(t *testing.T, options byte) *victim {
	v := &victim{T: t, votes: map[raft.Term]raft.NodeID{}}
	v.members = raft.NewConfiguration(map[raft.NodeID]string{1: "", 2: "", 3: "", 4: "", 5: ""})
	if options&1 != 0 { // a joint configuration, with a learner
		v.members.Voters, v.members.Outgoing = []raft.NodeID{1, 2, 3}, []raft.NodeID{1, 4}
		v.members.Learners = []raft.NodeID{5}
	}
	v.config = raft.Config{
		ID: 1, Heartbeat: 2, ElectionMin: 4, ElectionMax: 8,
		Limits: raft.Limits{
			AppendBytes: 100, UncommittedBytes: 500, BacklogBytes: 500, TrailingBytes: int(options&8) * 10,
		},
		NoPreVote: options&2 != 0, Events: options&4 != 0,
	}
	v.disk.Members = v.members
	v.start()
	return v
}

func (v *victim) start() {
	core, err := raft.New(v.config, v.disk)
	if err != nil {
		v.Fatalf("cannot start from its own disk: %v", err)
	}
	v.core, v.writes, v.handed = core, nil, v.disk.Snapshot.Last.Index
	v.chunks, v.arrived = nil, nil
}

func (v *victim) act(s *hostileScript) {
	switch what := s.next(); what % 10 {
	case 0:
		for range s.next() % 16 {
			v.step(0, raft.Tick{})
		}
	case 1, 2, 3:
		from, sequence := raft.NodeID(s.next()%7), raft.Sequence(s.next())
		v.step(0, raft.Receive{From: from, Sequence: sequence, Message: s.message()})
	case 4:
		v.step(raft.Time(s.number()), raft.Propose{Command: make([]byte, s.next())})
	case 5:
		v.collect()
		v.persist(int(s.next()))
	case 6:
		v.collect()
		v.step(0, raft.Applied{Index: min(v.handed, raft.Index(s.next()))})
	case 7:
		v.collect()
		v.crash(int(s.next()))
	case 8:
		v.collect()
		v.snapshot(s.flag())
	case 9:
		v.collect()
		v.install(s)
	}
}

// snapshot takes a snapshot of what was applied, and releases what it includes from the disk, or keeps it.
func (v *victim) snapshot(release bool) {
	at := v.core.Status().Applied
	if at <= v.disk.Snapshot.Last.Index || at < v.core.Status().First {
		return
	}
	e := v.core.EntriesAfter(at - 1)[0]
	v.disk.Snapshot = raft.Snapshot{Last: e.ID(), Time: e.Time}
	v.disk.Snapshot.Members, v.disk.Snapshot.MembersIndex = v.core.MembersAt(e.Index)
	if release {
		v.disk.Entries = v.disk.Entries[at-v.disk.Before.Index:]
		v.disk.Before = e.ID()
	}
	v.step(0, raft.Snapshotted{Snapshot: v.disk.Snapshot})
}

// install stores a chunk, or installs the snapshot that has arrived, unless it contradicts what is committed:
// the machine of a correct server would then be the liar's.
func (v *victim) install(s *hostileScript) {
	if arrived := v.arrived; arrived != nil {
		v.arrived = nil
		if last := arrived.Last.Index; !v.contradicts(arrived.Last) {
			v.handed = max(v.handed, last)
			v.step(0, raft.Installed{Snapshot: *arrived})
		}
		return
	}
	if len(v.chunks) == 0 {
		return
	}
	c := v.chunks[0]
	v.chunks = v.chunks[1:]
	last := c.Message.Last
	if s.flag() && last.Index > v.disk.Snapshot.Last.Index && last.Index < 1<<40 && !v.contradicts(last) {
		v.disk.Snapshot = raft.Snapshot{Last: last, Members: v.members, Size: c.Message.Size}
		arrived := v.disk.Snapshot
		v.arrived = &arrived
	}
	v.step(0, raft.ChunkStored{From: c.From, Sequence: c.Sequence, Term: c.Message.Term, Last: last,
		Next: s.number()})
}

func (v *victim) contradicts(last raft.EntryID) bool {
	s := v.core.Status()
	if last.Index > s.Commit && s.Role != raft.Leader || last.Index < s.First {
		return false
	}
	return last.Index > s.Last.Index || v.core.EntriesAfter(last.Index - 1)[0].ID() != last
}

// holds reports whether an entry is on the disk, in the log or in the snapshot.
func (v *victim) holds(id raft.EntryID) bool {
	at := id.Index - v.disk.Before.Index
	if id.Index <= v.disk.Snapshot.Last.Index {
		return true
	}
	return id.Index > v.disk.Before.Index && int(at) <= len(v.disk.Entries) && v.disk.Entries[at-1].ID() == id
}

// step feeds the input to the server and to a clone of it. Output is collected only now and then, as a busy
// driver does.
func (v *victim) step(now raft.Time, in raft.Input) {
	twin := v.core.Clone()
	v.core.Step(now, in)
	v.core.Audit()
	if len(v.writes)%3 == 0 {
		twin.Step(now, in)
		if v.core.Digest() != twin.Digest() {
			v.Fatalf("a clone differs after %T%+v", in, in)
		}
		if out := twin.Output(); !reflect.DeepEqual(out, v.collect()) {
			v.Fatalf("a clone decides otherwise after %T%+v", in, in)
		}
	}
}

func (v *victim) collect() raft.Output {
	out := v.core.Output()
	if out.Write != 0 {
		v.writes = append(v.writes, out)
	}
	for _, l := range out.Messages {
		v.promised(l)
	}
	v.chunks = append(v.chunks, out.Chunks...)
	for _, c := range out.Chunks {
		if c.Message.Term > v.disk.HardState.Term {
			v.Fatalf("a chunk of term %d is to be stored, the disk has %+v", c.Message.Term, v.disk.HardState)
		}
	}
	for _, e := range out.Committed {
		if e.Index != v.handed+1 || !v.holds(e.ID()) {
			v.Fatalf("entry %v is to be applied after %d, and is not on the disk", e.ID(), v.handed)
		}
		v.handed = e.Index
	}
	return out
}

// promised demands that what a message promises is on the disk when it leaves.
func (v *victim) promised(l raft.Letter) {
	kept := true
	switch m := l.Message.(type) {
	case raft.RequestVote:
		kept = v.disk.HardState == raft.HardState{Term: m.Term, Vote: 1}
	case raft.RequestVoteResponse:
		kept = v.disk.HardState.Term >= m.Term && (!m.Granted || v.disk.HardState.Vote == l.To)
	case raft.AppendEntries:
		kept = v.disk.HardState.Term == m.Term
	case raft.AppendEntriesResponse:
		end := max(v.disk.Before.Index+raft.Index(len(v.disk.Entries)), v.disk.Snapshot.Last.Index)
		kept = v.disk.HardState.Term >= m.Term && m.Match <= end
	case raft.InstallSnapshot:
		kept = v.disk.HardState.Term == m.Term && m.Last.Index <= v.disk.Snapshot.Last.Index
	case raft.InstallSnapshotResponse:
		end := max(v.disk.Before.Index+raft.Index(len(v.disk.Entries)), v.disk.Snapshot.Last.Index)
		kept = v.disk.HardState.Term >= m.Term && (!m.Complete || m.Last.Index <= end)
	}
	if !kept {
		v.Fatalf("%s leaves, and the disk has %+v and %d entries", formatMessage(l.Message), v.disk.HardState,
			len(v.disk.Entries))
	}
}

func (v *victim) persist(count int) {
	count = min(count, len(v.writes))
	if count == 0 {
		return
	}
	v.keepWrites(count)
	number := v.writes[count-1].Write
	v.writes = slices.Delete(v.writes, 0, count)
	v.step(0, raft.Persisted{Write: number})
	v.collect()
}

func (v *victim) keepWrites(count int) {
	for _, w := range v.writes[:count] {
		keep(&v.disk, w)
		h := v.disk.HardState
		if before, voted := v.votes[h.Term]; voted && before != h.Vote {
			v.Fatalf("voted in term %d for %v and for %v", h.Term, before, h.Vote)
		}
		if h.Vote != raft.None {
			v.votes[h.Term] = h.Vote
		}
	}
}

func (v *victim) crash(kept int) {
	v.keepWrites(min(kept, len(v.writes)))
	v.start()
}
