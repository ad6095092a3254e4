package main

import (
	"fmt"

	"balsa/raft"
	"balsa/sim"
)

// cut is scene five: the leader alone on one side, the two others on the other.
func (d *demo) cut() error {
	old := d.leader
	others := d.others(old)
	d.world.Do(sim.Op{Kind: sim.Cut, Links: d.links(old, true)})
	cut := d.world.Now()
	d.spoke(cut, "", ofNobody, fmt.Sprintf("(the network is cut: n%d | %s)", old, named(others)))
	left := d.put(old, "side", "left")
	d.spoke(cut, left.name(), ofClient,
		fmt.Sprintf("asks n%d, which takes itself for the leader: put %v", old, left))
	var leader raft.NodeID
	err := d.until("a leader on the larger side", func() bool {
		leader = d.leads(others...)
		return leader != raft.None && d.status(old).Role != raft.Leader
	})
	if err != nil {
		return err
	}
	right := d.put(leader, "side", "right")
	d.later(d.world.Now(), right, fmt.Sprintf("asks n%d: put %v", leader, right))
	for _, q := range []question{right, left} {
		answer, err := d.answer(q)
		if err != nil {
			return err
		}
		d.later(answer.Returned.Time, q, inWords(answer))
	}
	records := d.tell(elections)
	d.print("\n")
	d.roles()
	d.logs(d.ids()...)
	d.print("\n")
	d.world.Do(sim.Op{Kind: sim.Heal})
	d.spoke(d.world.Now(), "", ofNobody, "(the network is whole again)")
	if d.leader, err = d.settle(d.ids()...); err != nil {
		return err
	}
	d.tell(repairs, elections)
	if err := d.reads(old, "side"); err != nil {
		return err
	}
	d.saw("balsa cluster partition "+uintText(uint64(d.leader))+" / "+
		uintText(uint64(d.others(d.leader)[0]))+" "+uintText(uint64(d.others(d.leader)[1])),
		"Only the side with a majority may write. n%d could append, but never commit: one disk of three is "+
			"no majority. %s%s", old, elected(records).attempts(), d.overlap(records, old, cut))
	return nil
}

// overlap says whether two servers took themselves for leaders at the same time.
func (d *demo) overlap(records []sim.Record, old raft.NodeID, cut sim.Time) string {
	down, _ := first(records, func(r sim.Record, e raft.BecameFollower) bool {
		return r.Node == old && e.Was == raft.Leader
	})
	e := elected(records)
	if down.Time > e.at {
		return fmt.Sprintf("For %s two servers took themselves for the leader, each in its own term, and "+
			"that did no harm: only one of them could commit. Then n%d noticed that no majority answers, "+
			"and stepped down.", seconds(down.Time-e.at), old)
	}
	return fmt.Sprintf("It stepped down by itself %s after the cut, when no majority had answered it; the "+
		"new leader came %s later.", seconds(down.Time-cut), seconds(e.at-down.Time))
}

// power is scene six: in the middle of writing, the power of all three goes at once.
func (d *demo) power() error {
	const acknowledged, most, apart = 3, 12, 4 * sim.Millisecond
	var asked []question
	began := d.world.Now()
	for d.done(asked) < acknowledged && len(asked) < most {
		asked = append(asked, d.put(d.leader, fmt.Sprintf("k%d", len(asked)+1), "x"))
		d.world.RunUntil(d.world.Now() + apart)
	}
	err := d.until("an answer to a write", func() bool { return d.done(asked) >= acknowledged })
	if err != nil {
		return err
	}
	d.spoke(began, "", ofNobody, fmt.Sprintf("(%d clients write k1, k2, k3 … at n%d, %v apart)", len(asked),
		d.leader, apart))
	d.look()
	for _, id := range d.ids() {
		d.world.Do(sim.Op{Kind: sim.Kill, Node: id, Mode: "power"})
	}
	d.spoke(d.world.Now(), "", ofNobody, "(the power of all three goes at once, and what no disk had synced "+
		"may go with it)")
	d.tell(servers)
	d.world.RunUntil(d.world.Now() + sim.Second)
	if err := d.sound(); err != nil {
		return err
	}
	yes, open := d.sorted(asked)
	d.spoke(d.world.Now(), "", ofNobody, fmt.Sprintf("(told \"ok\": %s; not told: %s)", listed(keys(yes)),
		listed(keys(open))))
	d.look()
	for _, id := range d.ids() {
		d.world.Do(sim.Op{Kind: sim.Restart, Node: id})
	}
	if d.leader, err = d.settle(d.ids()...); err != nil {
		return err
	}
	e := elected(d.tell(servers, elections))
	d.print("\n")
	return d.inventory(yes, open, e.attempts())
}

// done counts the writes that were acknowledged.
func (d *demo) done(asked []question) int {
	yes, _ := d.sorted(asked)
	return len(yes)
}

// sorted tells writes that were acknowledged from all others.
func (d *demo) sorted(asked []question) (yes, open []question) {
	for _, q := range asked {
		if answer, is := d.told(q); is && answer.Outcome == sim.OK {
			yes = append(yes, q)
		} else {
			open = append(open, q)
		}
	}
	return yes, open
}

func keys(asked []question) (keys []string) {
	for _, q := range asked {
		keys = append(keys, q.key)
	}
	return keys
}

// inventory reads back everything that any client wrote.
func (d *demo) inventory(yes, open []question, attempts string) error {
	find := func(asked []question) (there, gone []string, err error) {
		for _, q := range asked {
			value, found, err := d.read(d.leader, q.key)
			switch {
			case err != nil:
				return nil, nil, err
			case found && value == q.value:
				there = append(there, q.key)
			default:
				gone = append(gone, q.key)
			}
		}
		return there, gone, nil
	}
	before := []question{{key: "greeting", value: "hello"}, {key: "color", value: "blue"},
		{key: "side", value: "right"}}
	kept, lost, err := find(append(before, yes...))
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return fail(exitViolation, "the story of seed %d finds a bug: %s were acknowledged and are lost. "+
			"Please report it", d.seed, listed(lost))
	}
	there, gone, err := find(open)
	if err != nil {
		return err
	}
	d.spoke(d.world.Now(), "", ofNobody, fmt.Sprintf("(read at n%d: %s are there)", d.leader, listed(kept)))
	unknown := ""
	if len(open) > 0 {
		d.spoke(d.world.Now(), "", ofNobody, fmt.Sprintf("(of those that nobody was told about: there %s, "+
			"not there %s)", listed(there), listed(gone)))
		unknown = fmt.Sprintf("Of the %s without an answer, %d turned out to be done: unknown means unknown.",
			count(len(open), "write"), len(there))
	}
	d.saw("balsa sim run --profile crash",
		"Everything that was acknowledged is there, for \"ok\" is said when a majority of disks has synced "+
			"it. A restart elects a leader as in scene one, from what the disks remember. %s%s",
		attempts, unknown)
	return nil
}
