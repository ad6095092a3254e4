package main

import (
	"fmt"
	"slices"
	"strconv"

	"balsa/raft"
	"balsa/sim"
)

// The scenes without a fault, and the death of the leader.

func uintText(n uint64) string { return strconv.FormatUint(n, 10) }

// election is scene one.
func (d *demo) election() (err error) {
	d.roles()
	least, most := waits()
	d.say("Three servers have started. Each waits a random time, from %v to %v, to hear a leader.", least,
		most)
	d.print("\n")
	d.leader, err = d.settle(d.ids()...)
	if err != nil {
		return err
	}
	records := d.tell(preVotes, elections)
	e := elected(records)
	woke, _ := first(records, func(_ sim.Record, _ raft.BecamePreCandidate) bool { return true })
	again := ""
	if woke.Node != e.leader {
		again = fmt.Sprintf("n%d had waited the shortest, and still n%d won. ", woke.Node, e.leader)
	}
	d.saw("balsa demo --seed "+uintText(d.seed+1)+" (other waits, and perhaps another leader)",
		"An election. %s%sn%d leads with the vote of %s and its own: a majority of three. A server votes "+
			"once in a term, and any two majorities share a server, so no term ever has two leaders.",
		e.attempts(), again, e.leader, named(e.voters))
	return nil
}

// write is scene two.
func (d *demo) write() error {
	leader := d.leader
	term, next := d.status(leader).Term, d.status(leader).Last.Index+1
	entry := raft.EntryID{Term: term, Index: next}
	q := d.put(leader, "greeting", "hello")
	d.spoke(d.world.Now(), q.name(), ofClient, fmt.Sprintf("asks n%d: put %v", leader, q))
	err := d.until("a commit", func() bool { return d.status(leader).Commit >= next })
	if err != nil {
		return err
	}
	d.tell(writing(&entry), elections)
	on := d.holders(entry)
	d.print("\n")
	d.say("Entry %d is on the disks of %s, a majority. It is committed: that is a fact. Who knows it? %s.",
		next, named(on), d.knowledge(next))
	d.print("\n")
	answer, err := d.answer(q)
	if err == nil {
		d.leader, err = d.settle(d.ids()...)
	}
	if err != nil {
		return err
	}
	d.later(answer.Returned.Time, q, inWords(answer))
	d.tell(writing(&entry), elections)
	d.saw("balsa dev, and in another terminal balsa put greeting hello",
		"A write is done when a majority has it on disk, and only then is the client told. That it is "+
			"committed is a fact about disks; a server's commit index is what it knows of it, and may "+
			"lag behind.")
	return nil
}

// knowledge says which servers know that an entry is committed.
func (d *demo) knowledge(index raft.Index) string {
	var know, not []raft.NodeID
	for _, id := range d.ids() {
		if d.status(id).Commit >= index {
			know = append(know, id)
		} else {
			not = append(not, id)
		}
	}
	if len(not) == 0 {
		return "All of them"
	}
	return fmt.Sprintf("Only %s; not yet %s", named(know), named(not))
}

// death is scene three. The leader dies with an entry that it could send to nobody.
func (d *demo) death() error {
	old := d.leader
	d.dead = old
	d.orphan = raft.EntryID{Term: d.status(old).Term, Index: d.status(old).Last.Index + 1}
	d.world.Do(sim.Op{Kind: sim.Hold, Links: d.links(old, false)})
	d.spoke(d.world.Now(), "", ofNobody, fmt.Sprintf("(from now on nothing that n%d sends arrives)", old))
	d.asked = d.put(old, "color", "red")
	d.spoke(d.world.Now(), d.asked.name(), ofClient, fmt.Sprintf("asks n%d: put %v", old, d.asked))
	err := d.until("a write of the leader's own disk", func() bool {
		return d.status(old).Durable >= d.orphan.Index
	})
	if err != nil {
		return err
	}
	d.tell(writing(&d.orphan))
	d.world.Do(sim.Op{Kind: sim.Kill, Node: old})
	killed := d.world.Now()
	d.world.Do(sim.Op{Kind: sim.Discard, Links: d.links(old, false)})
	answer, err := d.answer(d.asked)
	if err != nil {
		return err
	}
	if answer.Outcome != sim.Unknown {
		return fail(exitError, "the story of seed %d is another one: the client %s. Please report this",
			d.seed, inWords(answer))
	}
	d.later(answer.Returned.Time, d.asked, inWords(answer))
	d.tell(servers)
	if d.leader, err = d.settle(d.others(old)...); err != nil {
		return err
	}
	e := elected(d.tell(elections))
	if err := d.reads(d.leader, "greeting"); err != nil {
		return err
	}
	d.saw("balsa cluster start, then balsa cluster kill "+uintText(uint64(d.leader)),
		"%sFor %s there was no leader, and nobody could write. Two of three are a majority, so n%d could be "+
			"elected. What had been acknowledged is still there: it was on a majority of disks, and no "+
			"server gets the votes of a majority if its log is behind theirs.", e.attempts(),
		seconds(e.at-killed), e.leader)
	return nil
}

// reads has a client read a key, and tells what it is told.
func (d *demo) reads(at raft.NodeID, key string) error {
	asked := d.world.Now()
	value, found, err := d.read(at, key)
	if err != nil {
		return err
	}
	who := fmt.Sprintf("c%d", d.clients)
	d.spoke(asked, who, ofClient, fmt.Sprintf("asks n%d: get %s", at, key))
	if !found {
		value = "(there is none)"
	}
	d.spoke(d.world.Now(), who, ofClient, "is told: "+value)
	return nil
}

// comeback is scene four.
func (d *demo) comeback() error {
	q := d.put(d.leader, "color", "blue")
	d.spoke(d.world.Now(), q.name(), ofClient, fmt.Sprintf("asks n%d: put %v", d.leader, q))
	answer, err := d.answer(q)
	if err != nil {
		return err
	}
	d.spoke(answer.Returned.Time, q.name(), ofClient, inWords(answer))
	if d.leader, err = d.settle(d.others(d.dead)...); err != nil {
		return err
	}
	d.look()
	d.world.Do(sim.Op{Kind: sim.Restart, Node: d.dead})
	d.tell(servers)
	d.print("\n")
	d.logs(d.dead, d.leader)
	d.print("\n")
	d.say("[%d t%d %s] is entry %d, of term %d; a leader begins its term with an empty one. From there on "+
		"the logs differ: n%d led when it appended its own, and nobody else ever had it.", d.orphan.Index,
		d.orphan.Term, d.asked, d.orphan.Index, d.orphan.Term, d.dead)
	d.print("\n")
	if d.leader, err = d.settle(d.ids()...); err != nil {
		return err
	}
	d.tell(repairs, elections)
	d.print("\n")
	d.logs(d.dead)
	kept := slices.ContainsFunc(d.engines[d.dead].EntriesAfter(0), func(e raft.Entry) bool {
		return d.says(e) == d.asked.String()
	})
	if kept {
		return fail(exitError, "the story of seed %d is another one: the entry was kept. Please report this",
			d.seed)
	}
	d.saw("balsa cluster start "+uintText(uint64(d.dead)),
		"A follower's log becomes the leader's: what conflicts is dropped, and it was never committed. %s "+
			"was told \"unknown\", which was the truth: had one more server received %v in time, it could "+
			"have been kept. To say \"failed\" would have been a guess.", d.asked.name(), d.asked)
	return nil
}
