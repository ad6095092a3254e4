package main

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// run is the loop around the core: it takes in all that waits, and carries out what comes of it.
func (n *etcdNode) run(carryOut func(raft.Ready)) {
	for {
		events, ok := n.inbox.take()
		if !ok {
			return
		}
		n.takeIn(events)
		for n.ask(); n.core.HasReady(); n.ask() {
			rd := n.core.Ready()
			n.note(&rd)
			carryOut(rd)
			n.reads.wake(n.index.Load())
		}
		n.reads.wake(n.index.Load())
	}
}

// ask asks for the reads that wait, if the question before is answered.
func (n *etcdNode) ask() {
	if question := n.reads.next(&n.last); question != nil {
		n.core.ReadIndex(question)
	}
}

// takeIn gives events to the core: what other nodes say first, since it may end this node's leadership.
func (n *etcdNode) takeIn(events []etcdEvent) {
	var proposal *raftpb.Message
	for _, e := range events {
		switch {
		case e.message != nil:
			_ = n.core.Step(e.message) // what it refuses is dropped, as a message that was lost
		case e.proposal != nil:
			if proposal == nil {
				proposal = &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: &n.id}
			}
			proposal.Entries = append(proposal.Entries, e.proposal)
		case e.read != nil:
			n.reads.join(e.read)
		case e.change != nil:
			n.core.ApplyConfChange(e.change)
		default:
			n.core.Tick()
		}
	}
	if proposal != nil {
		if err := n.core.Step(proposal); err != nil {
			for _, e := range proposal.Entries {
				n.proposals.wake(numberOf(e.GetData()), err)
			}
		}
	}
}

// note keeps whether this node leads, and hands on the answers to reads, which end with the leadership.
func (n *etcdNode) note(rd *raft.Ready) {
	if rd.SoftState != nil {
		n.leads.Store(rd.SoftState.RaftState == raft.StateLeader)
		if !n.leads.Load() {
			n.reads.fail(raft.ErrProposalDropped)
		}
	}
	for _, s := range rd.ReadStates {
		n.reads.confirmed(numberOf(s.RequestCtx), s.Index)
	}
}

// classic carries out a Ready as etcd does: a leader sends, and applies what was committed, before it syncs
// its own entries, which the thesis allows (§10.2.1); a follower syncs first.
func (n *etcdNode) classic(rd raft.Ready) {
	leads := n.leads.Load()
	if leads {
		n.transport.send(rd.Messages)
		n.apply(rd.CommittedEntries)
	}
	n.save(rd.HardState, rd.Entries)
	if !leads {
		n.transport.send(rd.Messages)
		n.apply(rd.CommittedEntries)
	}
	n.core.Advance(rd)
}

// runAsync starts the three loops of asynchronous storage writes.
func (n *etcdNode) runAsync() {
	appends, applies := newQueue[*raftpb.Message](), newQueue[*raftpb.Message]()
	n.running.Go(func() {
		defer appends.close()
		defer applies.close()
		n.run(func(rd raft.Ready) { n.distribute(rd.Messages, appends, applies) })
	})
	n.running.Go(func() { n.appendLoop(appends) })
	n.running.Go(func() { n.applyLoop(applies) })
}

// distribute hands messages to whom they are for.
func (n *etcdNode) distribute(messages []*raftpb.Message, appends, applies *queue[*raftpb.Message]) {
	for i, m := range messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			appends.add(m)
		case raft.LocalApplyThread:
			applies.add(m)
		default:
			n.transport.send(messages[i : i+1])
		}
	}
}

// appendLoop writes all appends that wait with one sync, and answers them then.
func (n *etcdNode) appendLoop(appends *queue[*raftpb.Message]) {
	for {
		waiting, ok := appends.take()
		if !ok {
			return
		}
		var state *raftpb.HardState
		var entries []*raftpb.Entry
		for _, m := range waiting {
			entries = append(entries, m.GetEntries()...)
			if next := (&raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}); m.Term != nil {
				state = next
			}
		}
		n.check(n.wal.Save(state, entries))
		if state != nil {
			n.check(n.storage.SetHardState(state))
		}
		for _, m := range waiting { // one after the other: a later one may replace entries of an earlier one
			n.check(n.storage.Append(m.GetEntries()))
		}
		for _, m := range waiting {
			n.respond(m.GetResponses())
		}
	}
}

func (n *etcdNode) applyLoop(applies *queue[*raftpb.Message]) {
	for {
		waiting, ok := applies.take()
		if !ok {
			return
		}
		for _, m := range waiting {
			n.apply(m.GetEntries())
			n.respond(m.GetResponses())
		}
	}
}

func (n *etcdNode) respond(responses []*raftpb.Message) {
	for i, m := range responses {
		if m.GetTo() == n.id {
			n.inbox.add(etcdEvent{message: m})
		} else {
			n.transport.send(responses[i : i+1])
		}
	}
}

// reconfigure has the loop apply an entry of the founding, each of which adds a node.
func (n *etcdNode) reconfigure(e *raftpb.Entry) {
	change := &raftpb.ConfChange{}
	n.check(proto.Unmarshal(e.GetData(), change))
	n.inbox.add(etcdEvent{change: change})
}
