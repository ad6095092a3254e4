package sim

import (
	"fmt"

	"balsa/raft"
)

// Promises: nothing that promises leaves a server before what it promises is on its disk, and no server votes
// for two in one term, across all its lives (§5.2).
//
// What promises nothing is free to leave early: pre-votes, and the entries of a leader, which counts itself
// only when they are durable.

// ballot is a vote of a server in a term. With a lost disk it begins anew: what it says under its old id is
// for the others to refuse.
type ballot struct {
	node raft.NodeID
	disk int // how many disks it has lost before
	term raft.Term
}

// ballotFor is for whom.
type ballotFor struct {
	candidate raft.NodeID
	at        Moment
}

// sends takes a message when a server hands it out.
func (l *ledger) sends(m Moment, id raft.NodeID, e raft.Envelope) {
	if l.found != nil {
		return
	}
	d := &l.servers[id-1].disk
	me := d.node
	switch msg := e.Message.(type) {
	case raft.RequestVote:
		_ = l.cast(m, id, me, msg.Term) && l.checkVoted(m, d, id, me, msg.Term)
	case raft.RequestVoteResponse:
		if !msg.Granted {
			l.checkTerm(m, d, id, msg.Term, "denies a vote")
			return
		}
		_ = l.cast(m, id, e.To, msg.Term) && l.checkVoted(m, d, id, e.To, msg.Term)
	case raft.AppendEntries:
		_ = l.lead(m, id, msg.Term, "sends entries") && l.checkVoted(m, d, id, me, msg.Term) &&
			l.checkSize(m, id, e.To, msg.Entries)
	case raft.InstallSnapshot:
		_ = l.lead(m, id, msg.Term, "sends a snapshot") && l.checkVoted(m, d, id, me, msg.Term)
	case raft.InstallSnapshotResponse:
		_ = l.checkTerm(m, d, id, msg.Term, "answers a leader") && l.checkInstalled(m, id, e.To, &msg)
	case raft.AppendEntriesResponse:
		_ = l.checkTerm(m, d, id, msg.Term, "answers a leader") && l.checkAccepted(m, id, e.To, &msg)
	}
}

// cast notes a vote.
func (l *ledger) cast(m Moment, id, candidate raft.NodeID, term raft.Term) bool {
	b := ballot{node: id, disk: l.servers[id-1].disk.times, term: term}
	was, voted := l.ballots[b]
	if !voted {
		l.ballots[b] = ballotFor{candidate: candidate, at: m}
		return true
	}
	return was.candidate == candidate || l.accuse(OneVote,
		attest(was.at, id, "votes for n%v in term %d", was.candidate, term),
		attest(m, id, "votes for n%v in term %d", candidate, term),
		"n%v voted for both n%v and n%v in term %d", id, was.candidate, candidate, term)
}

// checkVoted holds that a vote is durable when it is told. If a later term is durable, the server will not
// vote in that one again whatever happens.
func (l *ledger) checkVoted(m Moment, d *stored, id, candidate raft.NodeID, term raft.Term) bool {
	return d.voted(term, candidate) || d.state.Term > term ||
		l.accuse(PromiseDurable, attest(d.stateAt, id, "has %s on its disk", d.hard()),
			attest(m, id, "sends what rests on its vote for n%v in term %d", candidate, term),
			"n%v let out its vote for n%v in term %d before it was durable", id, candidate, term)
}

// checkTerm holds that an answer comes from a term that is durable: whoever gets it takes it that the sender
// will never act in an older one.
func (l *ledger) checkTerm(m Moment, d *stored, id raft.NodeID, term raft.Term, what string) bool {
	return d.state.Term >= term || l.accuse(PromiseDurable,
		attest(d.stateAt, id, "has %s on its disk", d.hard()), attest(m, id, "%s in term %d", what, term),
		"n%v answered in term %d before that was durable", id, term)
}

// checkAccepted holds that acknowledged entries are durable, and those of the leader that is told so.
func (l *ledger) checkAccepted(m Moment, id, leader raft.NodeID, a *raft.AppendEntriesResponse) bool {
	d := &l.servers[id-1].disk
	if a.Match == 0 {
		return true
	}
	on := d.end()
	if a.Match > on.Index {
		return l.accuse(PromiseDurable, attest(on.since, id, "has a disk that ends in %v", on.EntryID),
			attest(m, id, "acknowledges entry %d to n%v", a.Match, leader),
			"n%v acknowledged entry %d, its disk ends at %d", id, a.Match, on.Index)
	}
	if o := l.leading(leader, a.Term); o != nil {
		mine := d.at(a.Match)
		if int(a.Match) > len(o.log) || o.log[a.Match-1].chain != mine.chain {
			return l.accuse(ProgressTruth, attest(mine.since, id, "has entry %d (term %d) on its disk",
				a.Match, mine.term), attest(m, id, "acknowledges it to n%v, which leads term %d with %s",
				leader, a.Term, heldAt(o.log, int(a.Match))),
				"n%v acknowledged entry %d to n%v and holds another log up to there", id, a.Match, leader)
		}
	}
	return true
}

// checkInstalled holds that a server that says that it has a snapshot has what that stands for on its disk.
func (l *ledger) checkInstalled(m Moment, id, leader raft.NodeID, a *raft.InstallSnapshotResponse) bool {
	d := &l.servers[id-1].disk
	if !a.Complete || l.knows(a.Last) && d.holds(a.Last.Index, l.committed[a.Last.Index-1].chain) {
		return true
	}
	on := d.end()
	return l.accuse(PromiseDurable, attest(on.since, id, "has a disk that ends in %v", on.EntryID),
		attest(m, id, "tells n%v that it has everything up to %v", leader, a.Last),
		"n%v says that it has everything up to %v, which its disk does not hold", id, a.Last)
}

// hard says which term and vote are on a disk.
func (d *stored) hard() string {
	if d.state.Vote == raft.None {
		return fmt.Sprintf("term %d without a vote", d.state.Term)
	}
	return fmt.Sprintf("term %d with a vote for n%v", d.state.Term, d.state.Vote)
}

// leading returns the server that leads a term under an id; nil when none was seen to.
func (l *ledger) leading(id raft.NodeID, term raft.Term) *observed {
	for i := range l.servers {
		if o := &l.servers[i]; o.disk.node == id && o.role == raft.Leader && o.term == term {
			return o
		}
	}
	return nil
}
