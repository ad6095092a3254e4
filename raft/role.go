package raft

// Role is what a server does at the moment (§5.1, Figure 4; the pre-candidate is of thesis §9.6):
//
//	               times out            a quorum would vote         a quorum voted
//	Follower ─────────────────▶ PreCandidate ──────────▶ Candidate ──────────▶ Leader
//	   ▲                             │ ◀──── times out ───── │                   │
//	   └─────────────────────────────┴───────────────────────┴───────────────────┘
//	                  hears a leader of this term, or of a higher term
type Role uint8

// The roles.
const (
	Follower Role = iota
	PreCandidate
	Candidate
	Leader
)

// String names the role in lower case.
func (r Role) String() string {
	return [...]string{"follower", "pre-candidate", "candidate", "leader"}[r]
}
