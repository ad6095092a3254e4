package client

// The bodies of the API below PathCluster, and what a node says of the membership in its status.

// InForce is what the configuration in force says of all members.
type InForce struct {
	// Configuration is the index of the entry that brought it; 0: the bootstrap configuration, or none as
	// long as a node that joins was not added.
	Configuration uint64 `json:"configuration"`
	Joint         bool   `json:"joint"`        // a change of the voters is under way
	Version       uint32 `json:"version"`      // of the cluster
	AutoPromote   bool   `json:"auto_promote"` // learners that have caught up get a vote
	// LeaseDrift is by how much clocks may err, in parts per million, for reads by lease (ConsistencyLease);
	// 0: they are off. LeaseTimeMS is for how many milliseconds each voter then votes for nobody after it has
	// heard a leader.
	LeaseDrift  uint32 `json:"lease_drift"`
	LeaseTimeMS int64  `json:"lease_time_ms"`
}

// Membership is what a node knows of the configuration in force and of its own part in it.
type Membership struct {
	InForce
	Standing   string `json:"standing"`              // of the node: as Member.Role, or outsider
	TransferTo uint64 `json:"transfer_to,omitempty"` // at a leader that hands over: to whom
	Peers      []Peer `json:"peers"`                 // the other members, by id
}

// The roles of members.
const (
	RoleVoter   = "voter"
	RoleLearner = "learner" // receives the log and has no vote
	RoleJoining = "joining" // gets its vote by the change that is under way
	RoleLeaving = "leaving" // loses its vote by it, or has left and is yet to learn it
)

// The health of members, as the leader sees it.
const (
	HealthOK        = "ok"
	HealthBehind    = "behind"    // it answers, and lacks much of the log
	HealthSilent    = "silent"    // it has not answered for a second, or never in this term
	HealthRepairing = "repairing" // it counts for nothing until it has back what its disk lost
	HealthUnknown   = "unknown"   // the node that was asked does not lead
)

// Cluster is who the members are, and how they are (PathCluster). The leader answers, after it has made sure
// that it leads; with ?stale any node answers what it knows by itself, which may be old.
type Cluster struct {
	Cluster string `json:"cluster"` // its id, in hexadecimal
	Node    uint64 `json:"node"`    // who answers
	Leader  uint64 `json:"leader"`  // 0 when that node knows of none
	Term    uint64 `json:"term"`
	Commit  uint64 `json:"commit"`
	InForce
	TransferTo uint64 `json:"transfer_to,omitempty"` // to whom the leader hands over
	// FailureTolerance is how many more voters may fail before nothing can be decided; nil when the node that
	// answers does not lead.
	FailureTolerance *int `json:"failure_tolerance"`
	// Repair is who repairs itself, as far as the node that answers knows; nil: nobody.
	Repair  *Repair  `json:"repair,omitempty"`
	Members []Member `json:"members"` // by id
}

// Settled reports whether no change is under way.
func (c Cluster) Settled() bool { return !c.Joint && c.Configuration <= c.Commit }

// Member returns the member of an id.
func (c Cluster) Member(id uint64) (m Member, is bool) {
	for _, m := range c.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// Member is one member of a cluster. What only a leader knows is 0 at other nodes.
type Member struct {
	ID          uint64 `json:"id"`
	Role        string `json:"role"`                  // voter, learner, joining or leaving
	Address     string `json:"address"`               // where peers reach it
	API         string `json:"api"`                   // where clients reach it; empty if unknown
	Incarnation string `json:"incarnation,omitempty"` // of its data directory; empty if unknown
	Leader      bool   `json:"leader"`
	Match       uint64 `json:"match"`      // it durably holds the log up to here
	Lag         uint64 `json:"lag"`        // entries of the leader's log that it lacks
	LagBytes    int64  `json:"lag_bytes"`  // bytes of those; -1: more than the leader's log holds
	ContactMS   int64  `json:"contact_ms"` // since it last answered the leader; -1 if it has not, or unknown
	Health      string `json:"health"`     // ok, behind, silent, repairing or unknown
	// Installing says that it is sent a snapshot, and how far that has come; else nil.
	Installing *Installing `json:"installing,omitempty"`
}

// MemberRequest asks for a node to be added, as a learner. Version is the newest cluster version that its
// program supports; 0 leaves it out.
type MemberRequest struct {
	ID          uint64 `json:"id"`
	Incarnation string `json:"incarnation"`
	Address     string `json:"address"`
	API         string `json:"api,omitempty"`
	AutoPromote *bool  `json:"auto_promote,omitempty"` // of the whole cluster; absent: as it is
	Version     uint32 `json:"version,omitempty"`
}

// MemberPatch asks for something about a member to be changed. What is empty stays as it is.
type MemberPatch struct {
	Role        string `json:"role,omitempty"` // voter or learner
	Address     string `json:"address,omitempty"`
	API         string `json:"api,omitempty"`
	AutoPromote *bool  `json:"auto_promote,omitempty"` // of the whole cluster
	Force       bool   `json:"force,omitempty"`
}

// VotersRequest asks for a whole set of voters, in one change. All of them are members. A voter that is in
// neither list leaves the cluster; a learner that is in neither stays what it is.
type VotersRequest struct {
	Voters   []uint64 `json:"voters"`
	Learners []uint64 `json:"learners,omitempty"` // voters that stay without a vote
	Force    bool     `json:"force,omitempty"`
}

// ClusterPatch asks for what concerns all members to be changed.
type ClusterPatch struct {
	AutoPromote *bool `json:"auto_promote,omitempty"`
	// LeaseDrift bounds how far clocks drift apart, in parts per million; 0 switches leases off.
	LeaseDrift *uint32 `json:"lease_drift,omitempty"`
}

// ChangeBody answers a change. Configuration is the index of the entry with the configuration that it has
// led to, which is committed.
type ChangeBody struct {
	Configuration uint64 `json:"configuration"`
}

// TransferRequest asks the leader to hand over: to a voter, or with 0 to the one that holds most of its log.
type TransferRequest struct {
	To uint64 `json:"to,omitempty"`
}

// TransferBody says who leads after a transfer.
type TransferBody struct {
	Leader uint64 `json:"leader"`
}
