package raft_test

import (
	"fmt"

	"balsa/raft"
)

// What is checked after every step of a random schedule: the five properties of Figure 3, and that nothing
// is promised before it is durable. Every entry carries a hash of itself and all before it, so each check
// compares two numbers.

// failure is what a broken property panics with; the test adds the seed.
type failure struct{ sentence string }

func failf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

// chain is a log. The hash of a link covers everything up to it.
type chain []link

type link struct {
	entry raft.Entry
	hash  uint64
}

// at returns the hash of the log up to an index, and whether the log is that long.
func (c chain) at(index raft.Index) (uint64, bool) {
	if index > raft.Index(len(c)) {
		return 0, false
	}
	if index == 0 {
		return 0, true
	}
	return c[index-1].hash, true
}

// with returns the log with the entries in the place of everything from the first of them on. It shares
// memory with the old one, and changes nothing that the old one shows.
func (c chain) with(entries []raft.Entry) chain {
	if len(entries) == 0 {
		return c
	}
	if keep := int(entries[0].Index) - 1; keep > len(c) {
		failf("a write leaves a gap: it begins at %v, the log ends at %d", entries[0].ID(), len(c))
	} else if keep < len(c) {
		c = c[:keep:keep]
	}
	for _, e := range entries {
		hash, _ := c.at(e.Index - 1)
		c = append(c, link{e, linkHash(hash, e)})
		if n := len(c); n > 1 && c[n-2].entry.Time > e.Time {
			failf("log time goes back at %v", e.ID())
		}
	}
	return c
}

func linkHash(before uint64, e raft.Entry) uint64 {
	h := before
	mix := func(x uint64) { h = (h ^ x) * 0x9e3779b97f4a7c15; h ^= h >> 29 }
	mix(uint64(e.Term))
	mix(uint64(e.Index))
	mix(uint64(e.Time))
	mix(uint64(e.Kind))
	for _, b := range e.Command {
		mix(uint64(b))
	}
	return h
}

// record is what an observer who sees all servers remembers.
type record struct {
	members    raft.Configuration
	settled    raft.Configuration // the latest that is committed
	leaders    map[raft.Term]raft.NodeID
	leaderLogs map[raft.Term]chain         // as long as it grew
	prefixes   map[raft.EntryID]uint64     // of every entry in any log
	committed  []commitment                // by index, from 1
	snapshots  map[raft.EntryID]chain      // of which there was a snapshot
	votes      map[ballotPaper]raft.NodeID // on disk
	forgotten  map[ballotPaper]raft.NodeID // were on a disk that was damaged
	newest     raft.Term
	proposed   raft.Ticket
	reads      map[raft.Ticket]openRead
	tally      tally

	configurations map[string]raft.Configuration // by their bytes
	terms          []raft.Term                   // of the committed entries
	changes        int
	asked          map[raft.Ticket]raft.NodeID // changes and transfers that are not answered
}

type commitment struct {
	hash uint64
	term raft.Term // in which it was committed
}

type ballotPaper struct {
	life  raft.Incarnation
	voter raft.NodeID
	term  raft.Term
}

func newRecord() record {
	return record{
		leaders:    map[raft.Term]raft.NodeID{},
		leaderLogs: map[raft.Term]chain{},
		prefixes:   map[raft.EntryID]uint64{},
		snapshots:  map[raft.EntryID]chain{},
		votes:      map[ballotPaper]raft.NodeID{},
		forgotten:  map[ballotPaper]raft.NodeID{},
		reads:      map[raft.Ticket]openRead{},
		tally:      tally{},

		configurations: map[string]raft.Configuration{},
		asked:          map[raft.Ticket]raft.NodeID{},
	}
}

// handedOut takes a write that a server wants to be made. Log Matching: an entry of the same term and index
// has the same history wherever it is. Leader Append-Only: a leader only ever appends.
func (w *world) handedOut(n *node, out raft.Output) {
	if len(n.writes) > 0 && out.Write <= n.writes[len(n.writes)-1].number {
		failf("write %d of server %v does not follow the one before", out.Write, n.id)
	}
	n.writes = append(n.writes, write{out.Write, out.HardState, out.Restart, out.Entries, out.Repaired})
	if out.Restart != (raft.EntryID{}) {
		n.log = w.restarted(n, out.Restart)
	}
	if len(out.Entries) == 0 {
		return
	}
	first := out.Entries[0].Index
	if s := n.core.Status(); s.Role == raft.Leader && n.before.Role == raft.Leader &&
		s.Term == n.before.Term && first != raft.Index(len(n.log))+1 {
		failf("Leader Append-Only: the leader %v of term %d replaced its log from %d on", n.id, s.Term, first)
	}
	if first <= n.before.Commit {
		failf("server %v replaced what it knew to be committed: %d of %d", n.id, first, n.before.Commit)
	}
	if int(first) <= len(n.log) {
		w.tally.note("truncation")
	}
	n.log = n.log.with(out.Entries)
	for _, l := range n.log[first-1:] {
		id := l.entry.ID()
		if hash, known := w.prefixes[id]; known && hash != l.hash {
			failf("Log Matching: server %v holds another history before entry %v than others did", n.id, id)
		}
		w.prefixes[id] = l.hash
	}
}

// onDisk makes a write durable. One vote for each server and term, across all crashes; the term never goes
// back.
func (w *world) onDisk(n *node, wr write) {
	if h := wr.hard; h != nil {
		if h.Term < n.hard.Term {
			failf("the term on the disk of server %v went back from %d to %d", n.id, n.hard.Term, h.Term)
		}
		n.hard = *h
	}
	if wr.restart != (raft.EntryID{}) {
		n.disk, n.shelf.base = w.restarted(n, wr.restart), wr.restart
	}
	n.disk = n.disk.with(wr.entries)
	if wr.repaired {
		w.unmark(n)
	}
	if n.hard.Vote == raft.None {
		return
	}
	paper := ballotPaper{n.life, n.id, n.hard.Term}
	if before, voted := w.votes[paper]; voted && before != n.hard.Vote {
		w.revoted(n, before)
	}
	w.votes[paper] = n.hard.Vote
}

func (w *world) revoted(n *node, before raft.NodeID) {
	failf("server %v voted in term %d for %v, and then for %v", n.id, n.hard.Term, before, n.hard.Vote)
}

// sent looks at a message at the moment at which it leaves: what it promises is on the disk of its sender.
func (w *world) sent(n *node, l raft.Letter) {
	switch m := l.Message.(type) {
	case raft.RequestVote:
		w.promises(n, m, m.Term, n.hard == raft.HardState{Term: m.Term, Vote: n.id})
	case raft.RequestVoteResponse:
		w.promises(n, m, m.Term, !m.Granted ||
			n.hard == raft.HardState{Term: m.Term, Vote: l.To} && !n.marked)
		if m.Granted {
			n.owes = 0
		}
	case raft.AppendEntries:
		w.promises(n, m, m.Term, w.leaders[m.Term] == n.id)
	case raft.InstallSnapshot:
		w.promises(n, m, m.Term, w.leaders[m.Term] == n.id)
	case raft.InstallSnapshotResponse:
		w.sentSnapshot(n, m)
	case raft.AppendEntriesResponse:
		mine, long := n.recovered().at(m.Match)
		w.promises(n, m, m.Term, long)
		w.promisesMarked(n, m)
		if m.Rejected {
			return
		}
		if theirs, longer := w.leaderLogs[m.Term].at(m.Match); !longer || mine != theirs {
			failf("server %v acknowledges %d in term %d, and its disk is not the leader's up to there",
				n.id, m.Match, m.Term)
		}
		w.claims(n, l, m)
	}
}

// claims looks at what an answer says beside its promise.
func (w *world) claims(n *node, l raft.Letter, m raft.AppendEntriesResponse) {
	if n.before.Term == m.Term {
		mine, long := n.log.at(m.Holds)
		if theirs, longer := w.leaderLogs[m.Term].at(m.Holds); !long || !longer || mine != theirs {
			failf("server %v says to hold %d of the log of term %d, which it does not", n.id, m.Holds, m.Term)
		}
	}
	switch {
	case m.Busy:
		w.tally.note("busy answer")
	case l.Sequence == 0:
		w.tally.note("report that entries are taken again")
	case m.Holds > m.Match:
		w.tally.note("answer before the disk's")
	}
}

func (w *world) promises(n *node, m raft.Message, term raft.Term, kept bool) {
	if term > n.hard.Term || !kept {
		failf("server %v sends %s, and its disk has term %d, vote %v and %d entries",
			n.id, formatMessage(m), n.hard.Term, n.hard.Vote, len(n.disk))
	}
}

// answered demands that a proposal was appended where its answer says: the caller waits for exactly that
// entry.
func (w *world) answered(n *node, a raft.Answer) {
	if a.Ticket >= changeTickets {
		w.changeAnswered(n, a)
		return
	}
	if a.Refusal != raft.Accepted {
		return
	}
	if _, long := n.log.at(a.Entry.Index); !long {
		failf("server %v answers that proposal %d stands at %v, beyond its log", n.id, a.Ticket, a.Entry)
	}
	e := n.log[a.Entry.Index-1].entry
	if e.ID() != a.Entry || string(e.Command) != fmt.Sprint(uint64(a.Ticket)) {
		failf("server %v answers that proposal %d stands at %v, where %v is %q",
			n.id, a.Ticket, a.Entry, e.ID(), e.Command)
	}
}

// apply is State Machine Safety: all servers apply the same entries in the same order without a gap, and
// each of them has on its own disk what it applies.
func (w *world) apply(n *node, entries []raft.Entry) {
	for _, e := range entries {
		if e.Index != n.applied+1 {
			failf("server %v is to apply %v after %d", n.id, e.ID(), n.applied)
		}
		hash, ok := n.recovered().at(e.Index)
		before, _ := n.recovered().at(e.Index - 1)
		if !ok || hash != linkHash(before, e) {
			failf("server %v is to apply %v, which its disk does not hold", n.id, e.ID())
		}
		if int(e.Index) > len(w.committed) || w.committed[e.Index-1].hash != hash {
			failf("State Machine Safety: server %v is to apply another entry %v than was committed",
				n.id, e.ID())
		}
		n.applied = e.Index
	}
}

// look compares the server's state with everything seen before.
func (w *world) look(n *node) {
	s := n.core.Status()
	if s.Role == raft.Leader {
		w.lookAtLeader(n, s)
	}
	w.lookAtCommits(n, s)
	w.lookAtMembers(n, s)
	if s.Commit < n.before.Commit || s.Term < n.before.Term || s.Durable > s.Last.Index {
		failf("server %v went back from %+v to %+v", n.id, n.before, s)
	}
	onDisk, long := n.disk.behind(w.snapshots[s.Snapshot]).at(s.Durable)
	if inMemory, _ := n.log.at(s.Durable); !long || onDisk != inMemory {
		failf("server %v takes %d entries for durable, and its disk does not hold them", n.id, s.Durable)
	}
	if len(n.writes) == 0 && s.Durable != s.Last.Index {
		failf("server %v has no write on its way, and takes only %d of %d for durable",
			n.id, s.Durable, s.Last.Index)
	}
	if n.owes != 0 && s.Term > n.owes {
		w.tally.note("promise dropped")
		n.owes = 0
	}
	if s.Refused > 0 {
		failf("server %v refused a message, and all servers are correct", n.id)
	}
	n.before = s
}

// lookAtLeader is Election Safety and Leader Completeness, and the honesty of what the leader believes of
// its followers.
func (w *world) lookAtLeader(n *node, s raft.Status) {
	if other, known := w.leaders[s.Term]; known && other != n.id {
		failf("Election Safety: servers %v and %v both lead term %d", other, n.id, s.Term)
	}
	if _, known := w.leaders[s.Term]; !known {
		w.lookAtElection(n, s)
		for index := len(w.committed); index > 0; index-- {
			w.complete(s.Term, n.log, raft.Index(index))
		}
	}
	w.leaders[s.Term], w.leaderLogs[s.Term] = n.id, n.log
	w.newest = max(w.newest, s.Term)
	for _, p := range s.Progress {
		if p.OnTheWay == n.config.Limits.Window && p.OnTheWay > 1 {
			w.tally.note("full window")
		}
		follower := w.nodes[p.ID-1]
		if follower.hard.Term != s.Term || !follower.isNamedBy(n) || follower.marked {
			continue // it may have moved on and replaced what it acknowledged here
		}
		theirs, long := follower.recovered().at(p.Match)
		if mine, _ := n.log.at(p.Match); !long || theirs != mine {
			failf("leader %v believes that %v holds %d durably, which it does not", n.id, p.ID, p.Match)
		}
	}
}

// complete is Leader Completeness for one committed entry: the leaders of all later terms have it.
func (w *world) complete(term raft.Term, log chain, index raft.Index) {
	c := w.committed[index-1]
	if term <= c.term {
		return
	}
	if hash, long := log.at(index); !long || hash != c.hash {
		failf("Leader Completeness: the leader of term %d lacks entry %d, committed in term %d",
			term, index, c.term)
	}
}

// lookAtCommits notes what a leader commits, and demands that everybody else's commits are among them.
func (w *world) lookAtCommits(n *node, s raft.Status) {
	for index := n.before.Commit + 1; index <= s.Commit; index++ {
		hash, long := n.log.at(index)
		if !long {
			failf("server %v commits %d beyond its log", n.id, index)
		}
		if int(index) <= len(w.committed) {
			if w.committed[index-1].hash != hash {
				failf("State Machine Safety: server %v commits another entry at %d", n.id, index)
			}
			continue
		}
		if s.Role != raft.Leader {
			failf("server %v commits %d, and no leader has", n.id, index)
		}
		w.committed = append(w.committed, commitment{hash, s.Term})
		w.terms = append(w.terms, n.log[index-1].entry.Term)
		w.settled, _ = w.configurationAt(n.log[:index])
		w.lookAtQuorum(n, index)
		for term := s.Term + 1; term <= w.newest; term++ { // leaders elected before we saw this commit
			if log, led := w.leaderLogs[term]; led {
				w.complete(term, log, index)
			}
		}
		if n.log[index-1].entry.Term < s.Term {
			w.tally.note("commit of an old term")
		}
		if index > s.Durable {
			w.tally.note("commit before the own disk")
		}
	}
}
