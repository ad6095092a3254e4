package replica

import "balsa/raft"

// Answers are for the life that asked. A data directory that was put back, or emptied, does not know what was
// promised in its other lives; the others do, and listen to none of its messages. But an answer that is still
// on its way to the other life would reach it too, and could be a vote: given to a candidate with the whole
// log, and counted for one that has lost the end of it. So the requests of each life, a start of an
// incarnation, bear sequences of its own, and an answer to another's is late mail for somebody who is dead.
//
//	bit 63  62        61          44 43                  0
//	┌──┬───────────┬──────────────┬────────────────────┐
//	│ 0│ forwarded │ life, hashed │ its number         │
//	│  │           │ 18 bits      │                    │
//	└──┴───────────┴──────────────┴────────────────────┘
//
// Two lives are taken for one once in a quarter of a million times, and only while an answer in the very term
// of the other's campaign is under way: whoever empties a directory has been told not to. The numbers suffice
// for five years of 100,000 messages a second without a restart.
const (
	lifeShift = 44
	lifeBits  = 18
	coreMask  = raft.Sequence(1)<<lifeShift - 1
)

// life is what the sequences of this life's requests bear beside their numbers: a hash, for neither the
// random incarnation nor the count of starts has bits to spare.
func (r *Replica) life() raft.Sequence { return lifeOf(r.config.Identity) }

func lifeOf(id raft.Identity) raft.Sequence {
	x := uint64(id.Incarnation) ^ id.Start*0x9e3779b97f4a7c15
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	x = (x ^ x>>32) * 0xd6e8feb86659fd93
	return raft.Sequence(x>>(64-lifeBits)) << lifeShift
}

// mine gives a response the number by which its request is known here, and reports whether it is for this
// life. A response without a number is a follower's report of how far it has come, or that a snapshot is in
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
	if number&^(coreMask|forwardSequence) != 0 {
		return false
	}
	e.Sequence = number
	return true
}
