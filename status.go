package balsa

import (
	"cmp"
	"slices"
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
	Membership

	Stats   Stats  // what the node has done so far
	Refused uint64 // messages that no correct node would have sent
	Err     error  // why the node stopped; nil while it runs
}

// Membership is what a node knows of the configuration in force, and its own part in it.
type Membership struct {
	// Configuration is the index of the entry that brought it; 0: the bootstrap configuration, or none as
	// long as a node that joins was not added.
	Configuration raft.Index
	Joint         bool   // a change of the voters is under way: both halves decide (§6)
	Version       uint32 // of the cluster; see raft.Configuration.Version
	AutoPromote   bool   // learners that have caught up become voters by themselves
	// LeaseDrift is by how much clocks may err, in parts per million, for reads by lease; 0: they are off.
	// LeaseTime is for how long each voter then votes for nobody after it has heard a leader.
	LeaseDrift uint32
	LeaseTime  time.Duration

	Standing   Standing    // of this node
	TransferTo raft.NodeID // at a leader: to whom it hands over; raft.None: to nobody

	// Peers are the other members, by id, and at a leader those that are yet to learn that they are none.
	Peers []Peer
}

// Standing is what a node is in a configuration.
type Standing uint8

// The standings.
const (
	Outsider Standing = iota // no member
	Voter
	Learner // receives the log and has no vote
	Joining // gets its vote by the change that is under way
	Leaving // loses its vote by it, or is no member any more and yet to learn it
)

// String is the name that the HTTP API uses.
func (s Standing) String() string {
	return [...]string{"outsider", "voter", "learner", "joining", "leaving"}[s]
}

// standing returns what a node is in a configuration.
func standing(c raft.Configuration, id raft.NodeID) Standing {
	stays, votes := slices.Contains(c.Voters, id), slices.Contains(c.Outgoing, id)
	switch {
	case stays && c.Joint() && !votes:
		return Joining
	case stays:
		return Voter
	case votes:
		return Leaving
	case slices.Contains(c.Learners, id):
		return Learner
	}
	return Outsider
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
	// Repair is what this node lost when its disk was damaged, and who else repairs itself, as far as it
	// knows.
	Repair raft.Repair
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
	API     string // where clients reach it, as it said last, or the configuration; empty if unknown
	// Incarnation is of the data directory that the configuration means; 0 until it was heard.
	Incarnation raft.Incarnation
	Standing    Standing
	Match       raft.Index // at a leader: the peer durably holds the log up to here
	Next        raft.Index // at a leader: what it will be sent next; 0 at others
	// Installing says, at a leader, that the peer is sent a snapshot of Size bytes, because the log no longer
	// holds what it lacks. It has Offset of them.
	Installing   bool
	Offset, Size uint64
	// Repairing says, at a leader, that the peer has lost what it promised, and counts for nothing until it
	// has it back.
	Repairing bool
	// Lag is, at a leader, how many entries of its log the peer lacks on its disk, as far as it has answered.
	Lag raft.Index
	// LagBytes is, at a leader, how many bytes these are; -1 when the leader's log does not reach back so
	// far, and the peer needs a snapshot.
	LagBytes int64
	// Contact is, at a leader, the time since the peer last answered in this term; negative if it has not,
	// and at other nodes.
	Contact time.Duration
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
		Address:     cmp.Or(l.identity.Address, self.Address),
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
			Repair:       core.Repair,
		},
		Stats:   l.counted(core),
		Refused: core.Refused,
		Err:     l.failure,
	}
	_, s.SnapshotError = l.snapshotFailure()
	s.Membership = Membership{
		Configuration: core.Configuration,
		Joint:         core.Joint,
		Version:       members.Version,
		AutoPromote:   members.AutoPromote,
		LeaseDrift:    members.LeaseDrift,
		LeaseTime:     time.Duration(members.LeaseTime),
		Standing:      standing(members, core.ID),
		TransferTo:    core.TransferTo,
		Peers:         l.peers(core, members),
	}
	return s
}

// peers are the other members, and those that leave.
func (l *loop) peers(core raft.Status, members raft.Configuration) (peers []Peer) {
	for _, m := range l.routes {
		p := Peer{ID: m.ID, Address: m.Address, API: l.replica.API(m.ID), Incarnation: m.Incarnation,
			Standing: standing(members, m.ID), Contact: -1, Shuns: l.replica.Shuns(m.ID)}
		at := slices.IndexFunc(core.Progress, func(of raft.Progress) bool { return of.ID == m.ID })
		if at < 0 && p.Standing == Outsider {
			continue // it was one, or leads
		}
		if at >= 0 {
			p.follow(core.Progress[at], core.Last.Index)
			p.LagBytes = l.replica.LagBytes(p.Match)
		}
		peers = append(peers, p)
	}
	return peers
}

// follow adds what a leader knows of a follower.
func (p *Peer) follow(of raft.Progress, last raft.Index) {
	p.Match, p.Next, p.Lag = of.Match, of.Next, last-min(of.Match, last)
	p.Installing, p.Offset, p.Size = of.Installing, of.Offset, of.Size
	p.Repairing = of.Repairing
	if of.Heard {
		p.Contact = time.Duration(of.Silent) * tick
	}
	if of.Departing {
		p.Standing = Leaving
	}
}
