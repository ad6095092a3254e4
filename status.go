package balsa

import (
	"time"

	"balsa/raft"
)

// Status is what a node knows of itself and of its cluster at one moment.
type Status struct {
	ID          raft.NodeID
	Cluster     raft.ClusterID
	Incarnation raft.Incarnation // of the data directory
	Start       uint64           // how often the data directory has been started
	Address     string           // where peers reach this node
	API         string           // where clients reach this node, as Config.API says

	Role   raft.Role
	Term   raft.Term
	Vote   raft.NodeID // of this term; raft.None if it was not given
	Leader raft.NodeID // of this term; raft.None when unknown
	// Contact is the time since this node last heard its leader, or as leader was last answered by a quorum;
	// negative when it knows of no leader.
	Contact time.Duration

	Commit  raft.Index // everything up to it is committed, as far as this node knows
	Applied raft.Index // everything up to it is in the state machine; 0 until a snapshot was restored
	Durable raft.Index // everything up to it is on this node's disk
	Last    raft.EntryID
	LogExtent

	Peers   []Peer // the other members, by id
	Stats   Stats  // what the node has done so far
	Refused uint64 // messages that no correct node would have sent
	Err     error  // why the node stopped; nil while it runs
}

// LogExtent is what a node has of the log, and what stands in place of the rest.
type LogExtent struct {
	First        raft.Index   // the first entry in memory, or, when there is none, the next one to come
	LogLength    int          // entries in memory
	LogBytes     int          // bytes of the entries behind the newest snapshot
	Snapshot     raft.EntryID // the last entry that the newest snapshot includes; zero when there is none
	LastSnapshot LastSnapshot // that this node took since it was opened
	// SnapshotError is why the latest attempt to take a snapshot failed, or that it has not ended in five
	// minutes; nil otherwise. The log grows meanwhile, until a leader refuses proposals as ErrOverloaded.
	SnapshotError error
}

// LastSnapshot is a snapshot that a node has taken of its own state machine; zero when there is none.
type LastSnapshot struct {
	Index raft.Index    // of the last entry that it includes
	Size  uint64        // bytes of the file
	At    time.Time     // when it was durable
	Took  time.Duration // from the capture of the state until then
}

// Peer is another member, as this node sees it.
type Peer struct {
	ID      raft.NodeID
	Address string
	API     string     // where clients reach it, as it said last; empty if unknown
	Match   raft.Index // at a leader: the peer durably holds the log up to here
	Next    raft.Index // at a leader: what it will be sent next; 0 at others
	// Installing says, at a leader, that the peer is sent a snapshot of Size bytes, because the log no longer
	// holds what it lacks. It has Offset of them.
	Installing   bool
	Offset, Size uint64
	// Shuns says why the peer does not listen to this node; 0 when it does, as far as this node knows.
	Shuns raft.IdentityReason
}

// APIOf returns where clients reach a member, such as the leader; empty if unknown.
func (s Status) APIOf(id raft.NodeID) string {
	if id == s.ID {
		return s.API
	}
	for _, p := range s.Peers {
		if p.ID == id {
			return p.API
		}
	}
	return ""
}

// contact is Status.Contact.
func (l *loop) contact() time.Duration {
	if ticks, known := l.replica.Contact(); known {
		return time.Duration(ticks) * tick
	}
	return -1
}

// counted returns the stats with what is counted outside the loop.
func (l *loop) counted(core raft.Status) Stats {
	s := l.stats
	s.MessagesLost, s.MessagesRefused = l.lost.Load(), core.Refused
	return s
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
		API:         l.identity.API,
		Role:        core.Role,
		Term:        core.Term,
		Vote:        core.Vote,
		Leader:      core.Leader,
		Contact:     l.contact(),
		Commit:      core.Commit,
		Applied:     l.replica.Applied(),
		Durable:     core.Durable,
		Last:        core.Last,
		LogExtent: LogExtent{
			First:        core.First,
			LogLength:    core.Entries,
			LogBytes:     core.LogBytes,
			Snapshot:     core.Snapshot,
			LastSnapshot: l.saves.last,
		},
		Stats:   l.counted(core),
		Refused: core.Refused,
		Err:     l.failure,
	}
	_, s.SnapshotError = l.snapshotFailure()
	for _, m := range members.Members {
		if m.ID == core.ID {
			continue
		}
		p := Peer{ID: m.ID, Address: m.Address, API: l.replica.API(m.ID), Shuns: l.replica.Shuns(m.ID)}
		for _, progress := range core.Progress {
			if progress.ID == m.ID {
				p.Match, p.Next = progress.Match, progress.Next
				p.Installing, p.Offset, p.Size = progress.Installing, progress.Offset, progress.Size
			}
		}
		s.Peers = append(s.Peers, p)
	}
	return s
}
