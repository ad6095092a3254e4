package client

import "time"

// Status is what a node knows of itself and of its cluster (PathStatus). Leader is 0 when it knows of none.
type Status struct {
	ID          uint64 `json:"id"`
	Cluster     string `json:"cluster"`     // in hexadecimal
	Incarnation string `json:"incarnation"` // of the data directory, in hexadecimal
	Start       uint64 `json:"start"`       // how often the data directory has been started
	Address     string `json:"address"`     // where peers reach it
	API         string `json:"api"`         // where it tells clients to reach it; empty if it does not

	Role   string `json:"role"` // follower, pre-candidate, candidate or leader
	Term   uint64 `json:"term"`
	Leader uint64 `json:"leader"`
	// ContactMS is the time since the node last heard its leader, or as leader was last answered by a
	// majority, in milliseconds; -1 when it knows of no leader.
	ContactMS int64 `json:"contact_ms"`

	Commit  uint64 `json:"commit"`  // everything up to it is committed, as far as the node knows
	Applied uint64 `json:"applied"` // everything up to it is in the map
	Durable uint64 `json:"durable"` // everything up to it is on the node's disk
	Last    Entry  `json:"last"`    // the end of the log
	LogExtent
	Keys     uint64 `json:"keys"`     // in the map
	Revision uint64 `json:"revision"` // of the map's latest write
	Membership
	Stats   Stats  `json:"stats"`             // what the node has done since it was started
	Stopped string `json:"stopped,omitempty"` // why the node stopped by itself
}

// LogExtent is what a node has of the log, and what stands in place of the rest.
type LogExtent struct {
	First    uint64 `json:"first"`     // the first entry in memory, or the next to come
	Entries  uint64 `json:"entries"`   // entries in memory
	LogBytes uint64 `json:"log_bytes"` // bytes of the entries behind the newest snapshot
	Snapshot Entry  `json:"snapshot"`  // the last entry that the newest snapshot includes
	// LastSnapshot is the latest that the node has taken by itself since it was started; nil if it has not.
	LastSnapshot *Snapshot `json:"last_snapshot,omitempty"`
	// SnapshotError is why the latest attempt to take one failed, or that it has not ended in five minutes;
	// empty otherwise.
	SnapshotError string `json:"snapshot_error,omitempty"`
	// Repair is who repairs itself after damage of its disk, as far as the node knows; nil: nobody.
	Repair *Repair `json:"repair,omitempty"`
}

// Repair is what a node knows of the members whose disks were damaged. They count for nothing until the
// others have brought back what they lost.
type Repair struct {
	On bool `json:"on"` // the node that answers is one of them
	// Floor is, of a node that repairs itself, the term that it must leave behind: it counts again under a
	// leader of a later one. 0: no leader has told it yet.
	Floor uint64   `json:"floor,omitempty"`
	Nodes []uint64 `json:"nodes"` // who repairs itself, by id
	// Halted says that they leave no quorum, so that the cluster stands still, and what to do; else empty.
	Halted string `json:"halted,omitempty"`
}

// Snapshot is one that a node has taken.
type Snapshot struct {
	Index  uint64    `json:"index"` // of the last entry that it includes
	Size   uint64    `json:"size"`  // bytes of the file
	At     time.Time `json:"at"`    // when it was durable
	TookMS int64     `json:"took_ms"`
}

// Entry names an entry of the log.
type Entry struct {
	Term  uint64 `json:"term"`
	Index uint64 `json:"index"`
}

// Peer is another member, as the node sees it. Match and Next are 0 at nodes that do not lead.
type Peer struct {
	ID       uint64 `json:"id"`
	Address  string `json:"address"`
	API      string `json:"api"`      // where clients reach it, as it said last; empty if unknown
	Standing string `json:"standing"` // as Member.Role
	Match    uint64 `json:"match"`    // the peer durably holds the log up to here
	Next     uint64 `json:"next"`     // what it will be sent next
	// Installing says, at a leader, that the peer is sent a snapshot, and how far that has come; else nil.
	Installing *Installing `json:"installing,omitempty"`
}

// Installing is a snapshot on its way to a peer, in bytes.
type Installing struct {
	Offset uint64 `json:"offset"` // what the peer has
	Size   uint64 `json:"size"`
}

// Stats counts what a node has done since it was started. Every number only grows.
type Stats struct {
	Elections        uint64 `json:"elections"`         // campaigns begun, won or not
	TermsLed         uint64 `json:"terms_led"`         // elections won
	LeaderChanges    uint64 `json:"leader_changes"`    // how often another leader, or term, was learned of
	ProposalsTaken   uint64 `json:"proposals_taken"`   // commands appended as leader, forwarded ones too
	ProposalsRefused uint64 `json:"proposals_refused"` // commands not appended
	ReadsConfirmed   uint64 `json:"reads_confirmed"`   // linearizable reads that a majority confirmed
	ReadRounds       uint64 `json:"read_rounds"`       // the rounds of messages that it took
	EntriesAppended  uint64 `json:"entries_appended"`  // entries taken from a leader
	EntriesTruncated uint64 `json:"entries_truncated"` // how often those of an earlier one were replaced
	Writes           uint64 `json:"writes"`            // batches given to the disk
	EntriesWritten   uint64 `json:"entries_written"`
	Applies          uint64 `json:"applies"` // batches given to the map
	EntriesApplied   uint64 `json:"entries_applied"`

	SnapshotsTaken     uint64 `json:"snapshots_taken"`     // of this node's own map, that became durable
	SnapshotsFailed    uint64 `json:"snapshots_failed"`    // attempts to take or to send one that failed
	SnapshotsInstalled uint64 `json:"snapshots_installed"` // that came from a leader

	MessagesSent     uint64 `json:"messages_sent"`
	MessagesReceived uint64 `json:"messages_received"`
	MessagesLost     uint64 `json:"messages_lost"`    // that the node knows of
	MessagesRefused  uint64 `json:"messages_refused"` // that no correct node of this version would have sent
}
