package balsa

import "balsa/raft"

// Status is what a node knows of itself and of its cluster at one moment.
type Status struct {
	ID          raft.NodeID
	Cluster     raft.ClusterID
	Incarnation raft.Incarnation // of the data directory
	Start       uint64           // how often the data directory has been started
	Address     string           // where peers reach this node

	Role   raft.Role
	Term   raft.Term
	Vote   raft.NodeID // of this term; raft.None if it was not given
	Leader raft.NodeID // of this term; raft.None when unknown

	Commit    raft.Index // everything up to it is committed, as far as this node knows
	Applied   raft.Index // everything up to it is in the state machine
	Durable   raft.Index // everything up to it is on this node's disk
	Last      raft.EntryID
	LogLength int // entries in memory

	Peers   []Peer // the other members, by id
	Refused uint64 // messages that no correct node would have sent
	Err     error  // why the node stopped; nil while it runs
}

// Peer is another member, as this node sees it.
type Peer struct {
	ID      raft.NodeID
	Address string
	Match   raft.Index // at a leader: the peer durably holds the log up to here
	Next    raft.Index // at a leader: what it will be sent next; 0 at others
}

func (l *loop) status() Status {
	core, members := l.replica.Status(), l.replica.Members()
	self, _ := members.Member(core.ID)
	s := Status{
		ID:          core.ID,
		Cluster:     l.identity.Cluster,
		Incarnation: l.identity.Incarnation,
		Start:       l.identity.Start,
		Address:     self.Address,
		Role:        core.Role,
		Term:        core.Term,
		Vote:        core.Vote,
		Leader:      core.Leader,
		Commit:      core.Commit,
		Applied:     core.Applied,
		Durable:     core.Durable,
		Last:        core.Last,
		LogLength:   core.Entries,
		Refused:     core.Refused,
		Err:         l.failure,
	}
	for _, m := range members.Members {
		if m.ID == core.ID {
			continue
		}
		p := Peer{ID: m.ID, Address: m.Address}
		for _, progress := range core.Progress {
			if progress.ID == m.ID {
				p.Match, p.Next = progress.Match, progress.Next
			}
		}
		s.Peers = append(s.Peers, p)
	}
	return s
}
