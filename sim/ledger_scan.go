package sim

import (
	"fmt"
	"slices"

	"balsa/raft"
)

// The scan at the end of a run looks at the disks alone: what was committed must be there for whoever comes
// after, whatever the servers have in memory.

// kept is a disk that was scanned.
type kept struct {
	id   raft.NodeID
	last raft.EntryID
	log  []logged
	raw  []logged // without a look at the snapshots
	good int      // how many of the committed entries it holds, from the first on
}

// scan holds that every committed entry is on the disks of a majority of the voters, every acknowledged
// command where it was acknowledged, and all of it in every log that could win an election. Disks that are
// left out may have held what is missing: a majority, less those, must have it. Learners count for nothing.
func (l *ledger) scan(m Moment, disks []disked) {
	if l.found != nil {
		return
	}
	found := make([]kept, 0, len(disks))
	for i := range disks {
		found = append(found, l.keep(m, &disks[i]))
	}
	_ = l.scanCommitted(m, found) && l.scanAcknowledged(m, disks) && l.scanElectable(m, found) &&
		l.scanKnown(m, disks, found)
}

// scanKnown holds that each disk has all that was acknowledged as durable there, and nothing else: the term
// and the vote, each entry, whom the server has met. A majority that has what was committed is not enough: a
// vote that is gone can be given twice.
func (l *ledger) scanKnown(m Moment, disks []disked, found []kept) bool {
	for i := range disks {
		d := &l.servers[disks[i].id-1].disk
		if d.known && !l.checkFound(m, disks[i].id, d, &disks[i].found, found[i].raw) {
			return false
		}
	}
	return true
}

func (l *ledger) keep(m Moment, d *disked) kept {
	k := kept{id: d.id}
	if l.knows(d.found.Before) {
		k.log, k.last = l.prefix(nil, d.found.Before.Index), d.found.Before
	}
	for i := range d.found.Entries {
		e := &d.found.Entries[i]
		k.log = append(k.log, chained(k.log, e, m))
		k.last = e.ID()
	}
	k.raw = k.log
	if s := d.found.joined.Snapshot.Last; l.knows(s) && !l.committedLog(k.log, s.Index) {
		k.log, k.last = l.prefix(nil, s.Index), s // it begins anew behind the snapshot
	}
	k.good = len(l.committed)
	if lacks := l.firstConflict(k.log); lacks > 0 {
		k.good = lacks - 1
	}
	return k
}

// poll is how many of the scanned disks of voters have something, and how many must.
type poll struct {
	count, of, need int
	without         raft.NodeID // one that has it not
}

func (p poll) String() string {
	return fmt.Sprintf("on %d disks of %d, at least %d must have it", p.count, p.of, p.need)
}

// ask asks the disks of the voters by the latest configuration, of the half that is worse off when it is
// joint.
func (l *ledger) ask(disks int, id func(int) raft.NodeID, has func(int) bool) (worst poll) {
	for half, voters := range [][]raft.NodeID{l.latest().Voters, l.latest().Outgoing} {
		p := poll{need: len(voters)/2 + 1 - len(voters)}
		for i := range disks {
			if !slices.Contains(voters, l.servers[id(i)-1].disk.node) {
				continue
			}
			p.of++
			p.need++
			if has(i) {
				p.count++
			} else {
				p.without = id(i)
			}
		}
		if half == 0 || len(voters) > 0 && p.count-p.need < worst.count-worst.need {
			worst = p
		}
	}
	return worst
}

func (l *ledger) scanCommitted(m Moment, found []kept) bool {
	for i := range l.committed {
		p := l.ask(len(found), func(j int) raft.NodeID { return found[j].id },
			func(j int) bool { return found[j].good > i })
		if p.count < p.need {
			c := &l.committed[i]
			return l.accuse(Durability, attest(c.at, c.by, "knows entry %d (term %d) to be committed", i+1,
				c.term), attest(m, p.without, "has a disk without it"),
				"entry %d (term %d) was committed and is %v", i+1, c.term, p)
		}
	}
	return true
}

func (l *ledger) scanAcknowledged(m Moment, disks []disked) bool {
	for _, a := range l.acks {
		p := l.ask(len(disks), func(j int) raft.NodeID { return disks[j].id },
			func(j int) bool { return disks[j].has(a) })
		if p.count < p.need {
			return l.accuse(Durability, attest(a.at, raft.None,
				"a client is told that its command is done as entry %d", a.index),
				attest(m, p.without, "has a disk without that command"),
				"entry %d was acknowledged and its command is %v", a.index, p)
		}
	}
	return true
}

// has reports whether a disk has a command: in its log, or in what a snapshot stands for.
func (d *disked) has(a acknowledgement) bool {
	if a.index <= d.found.joined.Snapshot.Last.Index {
		return true // what the state is that comes of it is looked at too
	}
	at := int(a.index - d.found.Before.Index)
	return at >= 1 && at <= len(d.found.Entries) &&
		hashBytes(d.found.Entries[at-1].Command) == a.command
}

// scanElectable takes each log for a candidate's: those that are not ahead of it would vote for it (§5.4.1).
func (l *ledger) scanElectable(m Moment, found []kept) bool {
	for i := range found {
		candidate := &found[i]
		if candidate.good == len(l.committed) || !l.latest().Voter(l.servers[candidate.id-1].disk.node) {
			continue
		}
		votes := 0
		if l.latest().HasQuorum(func(id raft.NodeID) bool {
			at := slices.IndexFunc(found, func(k kept) bool { return l.servers[k.id-1].disk.node == id })
			if at < 0 || !candidate.last.AtLeast(found[at].last) {
				return false
			}
			votes++
			return true
		}) {
			lacks := candidate.good + 1
			c := &l.committed[lacks-1]
			return l.accuse(LeaderCompleteness, attest(c.at, c.by, "knows entry %d (term %d) to be committed",
				lacks, c.term), attest(m, candidate.id, "has a disk with %s", heldAt(candidate.log, lacks)),
				"n%v could be elected with the votes of %d disks, without entry %d (term %d)", candidate.id,
				votes, lacks, c.term)
		}
	}
	return true
}
