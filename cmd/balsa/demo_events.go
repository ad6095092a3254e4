package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"balsa/raft"
	"balsa/sim"
)

// clientLine is a line that waits until the servers have come to its time.
type clientLine struct {
	at              sim.Time
	who, sign, text string
}

// later has a line told where it belongs among those of the servers.
func (d *demo) later(at sim.Time, q question, text string) {
	d.queued = append(d.queued, clientLine{at, q.name(), ofClient, text})
}

// tell tells what has happened since the last time, as far as a scene is about it, and the lines that wait.
func (d *demo) tell(about ...func(sim.Record) (sign, text string)) (records []sim.Record) {
	slices.SortStableFunc(d.queued, func(a, b clientLine) int { return cmp.Compare(a.at, b.at) })
	records = d.look()
	for _, r := range records {
		for len(d.queued) > 0 && d.queued[0].at < r.Time {
			d.flush(1)
		}
		for _, line := range about {
			if sign, text := line(r); text != "" {
				d.happened(r.Time, r.Node, sign, text)
				break
			}
		}
	}
	d.flush(len(d.queued))
	return records
}

func (d *demo) flush(n int) {
	for _, l := range d.queued[:n] {
		d.spoke(l.at, l.who, l.sign, l.text)
	}
	d.queued = d.queued[n:]
}

// preVotes are the questions before an election (thesis §9.6), told in the first scene alone.
func preVotes(r sim.Record) (sign, text string) {
	switch e := r.Event.(type) {
	case raft.BecamePreCandidate:
		return ofCandidate, "has heard no leader, and asks: would you elect me?"
	case raft.PreVoteGranted:
		return ofFollower, fmt.Sprintf("would vote for n%d in term %d", e.To, e.Term)
	case raft.PreVoteDenied:
		return ofFollower, fmt.Sprintf("would not vote for n%d: %v", e.To, because(e.Why, e.Mine, e.Theirs))
	}
	return "", ""
}

// elections are who stands, who votes, and who wins (§5.2).
func elections(r sim.Record) (sign, text string) {
	switch e := r.Event.(type) {
	case raft.BecameCandidate:
		return ofCandidate, fmt.Sprintf("stands for election in term %d, and votes for itself", e.Term)
	case raft.VoteGranted:
		return ofFollower, fmt.Sprintf("votes for n%d in term %d, and writes that down first", e.To, e.Term)
	case raft.VoteDenied:
		return ofFollower, fmt.Sprintf("does not vote for n%d: %v", e.To, because(e.Why, e.Mine, e.Theirs))
	case raft.BecameLeader:
		return ofLeader, fmt.Sprintf("LEADER of term %d", e.Term)
	case raft.BecameFollower:
		switch {
		case e.Leader != raft.None:
			return ofFollower, fmt.Sprintf("follows n%d", e.Leader)
		case e.Was == raft.Leader:
			return ofFollower, fmt.Sprintf("steps down: %v", e.Why)
		case e.Was == raft.Candidate:
			return ofFollower, fmt.Sprintf("stands no more: %v", e.Why)
		}
	}
	return "", ""
}

// because is why a vote is denied, with what was compared if that is why.
func because(why raft.Reason, mine, theirs raft.EntryID) string {
	switch why {
	case raft.LogNotUpToDate:
	case raft.StaleTerm:
		return "its term is behind mine"
	case raft.AlreadyVoted:
		return "my vote of this term is given away"
	default:
		return why.String()
	}
	return fmt.Sprintf("its log ends in entry %d of term %d, mine in %d of term %d", theirs.Index,
		theirs.Term, mine.Index, mine.Term)
}

// writing tells the way of one entry.
func writing(entry *raft.EntryID) func(sim.Record) (sign, text string) {
	return func(r sim.Record) (sign, text string) {
		switch e := r.Event.(type) {
		case raft.Appended:
			if e.Entry == *entry {
				return ofLeader, fmt.Sprintf("appends it to its log as entry %d of term %d, and sends it",
					entry.Index, entry.Term)
			}
		case raft.AppendAccepted:
			if e.New > 0 && e.Prev.Index+raft.Index(e.Entries) >= entry.Index {
				return ofFollower, fmt.Sprintf("takes entry %d", entry.Index)
			}
		case raft.PersistedTo:
			if e.Durable == entry.Index {
				return " ", fmt.Sprintf("has entry %d on its disk", entry.Index)
			}
		case raft.Replicated:
			if e.Match >= entry.Index {
				return ofLeader, fmt.Sprintf("hears that n%d has it on its disk", e.To)
			}
		case raft.CommitAdvanced:
			if e.Entry.Index >= entry.Index {
				return " ", fmt.Sprintf("knows that entry %d is committed", entry.Index)
			}
		}
		return "", ""
	}
}

// repairs are how a log becomes the leader's (§5.3).
func repairs(r sim.Record) (sign, text string) {
	switch e := r.Event.(type) {
	case raft.AppendRejected:
		return ofFollower, fmt.Sprintf("does not hold entry %d of term %d, which the leader takes for the "+
			"one before, and says so", e.Prev.Index, e.Prev.Term)
	case raft.SteppedBack:
		return ofLeader, fmt.Sprintf("sends n%d its log from entry %d on", e.Peer, e.Next)
	case raft.AppendAccepted:
		switch {
		case e.Truncated > 0:
			return ofFollower, fmt.Sprintf("drops its own entries from %d on, and takes %s of n%d's",
				e.Truncated, entries(e.New), e.From)
		case e.New > 0:
			return ofFollower, fmt.Sprintf("takes %s from n%d", entries(e.New), e.From)
		}
	}
	return "", ""
}

// servers are their deaths and starts.
func servers(r sim.Record) (sign, text string) {
	switch r.Kind {
	case sim.Died:
		return ofDead, "is dead"
	case sim.Started:
		return ofFollower, "starts, with what its disk remembers"
	}
	return "", ""
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// inWords is what a client was told, in words.
func inWords(o sim.Operation) string {
	switch o.Outcome {
	case sim.OK:
		return fmt.Sprintf("is told: ok, it is entry %d", o.Revision)
	case sim.No:
		return "is told: no, it was not done"
	}
	return "is told: unknown, it may be done or not"
}

// named lists servers: "n1", "n1 and n2", "n1, n2 and n3".
func named(ids []raft.NodeID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = fmt.Sprintf("n%d", id)
	}
	return listed(names)
}

func listed(words []string) string {
	switch last := len(words) - 1; {
	case last < 0:
		return "none"
	case last == 0:
		return words[0]
	default:
		return strings.Join(words[:last], ", ") + " and " + words[last]
	}
}

// first returns the earliest event of a type among records.
func first[E raft.Event](records []sim.Record, is func(sim.Record, E) bool) (at sim.Record, found bool) {
	for _, r := range records {
		if e, ok := r.Event.(E); ok && is(r, e) {
			return r, true
		}
	}
	return sim.Record{}, false
}

// election is how one leader came to be, as the records tell.
type election struct {
	leader raft.NodeID
	term   raft.Term
	at     sim.Time
	voters []raft.NodeID // the others whose votes it had by then
	stood  int           // candidacies, its own included
	lost   []raft.Term   // those that ended without a leader
}

// elected finds the last election among records.
func elected(records []sim.Record) (e election) {
	var terms []raft.Term
	for _, r := range records {
		switch v := r.Event.(type) {
		case raft.BecameCandidate:
			e.stood++
			if len(terms) == 0 || terms[len(terms)-1] != v.Term {
				terms = append(terms, v.Term)
			}
		case raft.BecameLeader:
			e.leader, e.term, e.at = r.Node, v.Term, r.Time
		}
	}
	for _, t := range terms {
		_, won := first(records, func(_ sim.Record, v raft.BecameLeader) bool { return v.Term == t })
		if !won {
			e.lost = append(e.lost, t)
		}
	}
	term := raft.Term(0)
	for _, r := range records {
		switch v := r.Event.(type) {
		case raft.BecameCandidate:
			if r.Node == e.leader {
				term = v.Term
			}
		case raft.VoteReceived:
			counts := v.Role == raft.Candidate && v.Granted && r.Time <= e.at
			if counts && r.Node == e.leader && term == e.term {
				e.voters = append(e.voters, v.From)
			}
		}
	}
	return e
}

// attempts says that it took more than one, if it did.
func (e election) attempts() string {
	switch {
	case len(e.lost) == 1:
		return fmt.Sprintf("Term %d ended without a leader: the votes were split, or came too late. After "+
			"new random waits came the next. ", e.lost[0])
	case len(e.lost) > 1:
		return fmt.Sprintf("%d terms ended without a leader: the votes were split, or came too late. Each "+
			"time new random waits followed. ", len(e.lost))
	case e.stood > 1:
		return fmt.Sprintf("%d stood for it, and one had the votes. ", e.stood)
	}
	return ""
}
