package replica

import "balsa/raft"

// Answers are for the life that asked. A data directory that was put back does not know what its later starts
// have promised; the others do, and listen to none of its messages. But an answer that is still on its way to
// the later start would reach it too, and could be a vote: given to a candidate with the whole log, and
// counted for one that has lost the end of it. So the requests of each start bear sequences of its own, and
// an answer to another start's is late mail for somebody who is dead.
//
//	bit 63  62        61            40 39                  0
//	┌──┬───────────┬────────────────┬────────────────────┐
//	│ 0│ forwarded │ start, its low │ the core's number  │   a forwarded request names its start itself
//	│  │           │ 22 bits        │                    │
//	└──┴───────────┴────────────────┴────────────────────┘
const (
	lifeShift = 40
	lifeBits  = 22
	coreMask  = raft.Sequence(1)<<lifeShift - 1
)

// life is what the sequences of this start's requests bear beside their numbers.
func (r *Replica) life() raft.Sequence {
	return raft.Sequence(r.config.Identity.Start&(1<<lifeBits-1)) << lifeShift
}

// mine gives a response the number by which the core knows its request, and reports whether it is for this
// start. A response without a number is a follower's report of how far it has come, or that a snapshot is in
// force there, which answers nothing.
// Messages by hand are taken as they are.
func (r *Replica) mine(e *raft.Envelope) bool {
	if !raft.IsResponse(e.Message) || e.From.Cluster == (raft.ClusterID{}) {
		return true
	}
	if e.Sequence == 0 {
		switch m := e.Message.(type) {
		case raft.AppendEntriesResponse:
			return true
		case raft.InstallSnapshotResponse:
			return m.Complete
		}
		return false
	}
	number := e.Sequence ^ r.life()
	if number&^coreMask != 0 {
		return false
	}
	e.Sequence = number
	return true
}
