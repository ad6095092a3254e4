package balsa

import (
	"balsa/raft"
	"balsa/replica"
)

// Stats counts what a node has done since it was opened. Every number only grows.
type Stats struct {
	Elections        uint64 // campaigns begun, won or not
	TermsLed         uint64 // elections won
	LeaderChanges    uint64 // how often another leader, or another term of the same one, was learned of
	ProposalsTaken   uint64 // commands that this node appended as leader, its own callers' and forwarded ones
	ProposalsRefused uint64 // commands that it did not append
	ReadsConfirmed   uint64 // linearizable reads that a quorum confirmed to this leader
	ReadRounds       uint64 // the rounds that it took
	EntriesAppended  uint64 // entries taken from a leader
	EntriesTruncated uint64 // how often entries of an earlier leader were replaced
	Writes           uint64 // batches given to the disk
	EntriesWritten   uint64
	Applies          uint64 // batches given to the state machine
	EntriesApplied   uint64

	SnapshotsTaken     uint64 // of this node's own state machine, that became durable
	SnapshotsFailed    uint64 // attempts to take one, or to read one to be sent, that failed
	SnapshotsInstalled uint64 // that came from a leader and took the place of entries

	MessagesSent     uint64
	MessagesReceived uint64
	MessagesLost     uint64 // that the transport knows of
	MessagesRefused  uint64 // that no correct node of this version would have sent; Status.Refused
}

// count takes a decision of the core.
func (s *Stats) count(event raft.Event) {
	switch e := event.(type) {
	case raft.BecameCandidate:
		s.Elections++
	case raft.BecameLeader:
		s.TermsLed++
	case raft.BecameFollower:
		if e.Leader != raft.None {
			s.LeaderChanges++
		}
	case raft.Appended:
		if e.Kind == raft.Normal {
			s.ProposalsTaken += uint64(e.New)
		}
	case raft.ProposalRefused:
		s.ProposalsRefused++
	case raft.ReadsConfirmed:
		s.ReadRounds++
		s.ReadsConfirmed += uint64(e.Count)
	case raft.AppendAccepted:
		s.EntriesAppended += uint64(e.New)
		if e.Truncated > 0 {
			s.EntriesTruncated++
		}
	case raft.SnapshotTaken:
		s.SnapshotsTaken++
	case raft.SnapshotInstalled:
		s.SnapshotsInstalled++
	case replica.SnapshotFailed:
		s.SnapshotsFailed++
	}
}
