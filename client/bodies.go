package client

import "time"

// SubmitRequest asks for a command in the text form: "SET key value with spaces" or "DELETE key".
type SubmitRequest struct {
	Command string `json:"command"`
}

// SubmitResponse carries what the state machine returned for that command.
type SubmitResponse struct {
	Result string `json:"result"`
}

// SubmitError is the error body of everything below /client/. The hint is null when no leader is known.
type SubmitError struct {
	Error      string  `json:"error"`
	LeaderHint *uint64 `json:"leader_hint"`
}

// LeaderResponse says who leads, as far as the node knows. LeaderID is null when it knows of nobody.
type LeaderResponse struct {
	LeaderID *uint64 `json:"leader_id"`
	NodeID   uint64  `json:"node_id"`
	IsLeader bool    `json:"is_leader"`
}

// ClientStatus is the small status. State is Follower, Candidate (a pre-candidate too) or Leader.
type ClientStatus struct {
	NodeID      uint64  `json:"node_id"`
	State       string  `json:"state"`
	Term        uint64  `json:"term"`
	LeaderID    *uint64 `json:"leader_id"`
	CommitIndex uint64  `json:"commit_index"`
	LastApplied uint64  `json:"last_applied"`
	LogLength   uint64  `json:"log_length"`
}

// ClientItem is one key of a node's own state. Bytes that are no UTF-8 are shown as U+FFFD; PathKV gives
// them exactly.
type ClientItem struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ItemBody is a key with everything about it (?format=json). What is UTF-8 is given as text, else in
// base64: of each pair of fields exactly one is there.
type ItemBody struct {
	Key            *string `json:"key,omitempty"`
	KeyBase64      []byte  `json:"key_base64,omitempty"`
	Value          *string `json:"value,omitempty"`
	ValueBase64    []byte  `json:"value_base64,omitempty"`
	CreateRevision uint64  `json:"create_revision"`
	ModRevision    uint64  `json:"mod_revision"`
	Version        uint64  `json:"version"`

	Expires *time.Time `json:"expires,omitempty"` // when the key goes away by itself
}

// PutBody answers a PUT.
type PutBody struct {
	Created  bool   `json:"created"`
	Revision uint64 `json:"revision"`
}

// DeleteBody answers a DELETE. Deleted is 0 when the key was not there.
type DeleteBody struct {
	Deleted  uint32 `json:"deleted"`
	Revision uint64 `json:"revision"`
}

// IncrementRequest asks for something to be added to the number under a key: 1 when By is absent, or the
// whole body is.
type IncrementRequest struct {
	By *int64 `json:"by,omitempty"`
}

// IncrementBody answers a POST to PathIncrement. Value is the number that the key now holds, exactly: beyond
// 2⁵³ some readers of JSON round it.
type IncrementBody struct {
	Value    int64  `json:"value"`
	Created  bool   `json:"created"`
	Revision uint64 `json:"revision"`
}

// SessionRequest asks for a session. TTL is a duration such as "1h": how long the session lasts when it is
// not used.
type SessionRequest struct {
	TTL string `json:"ttl"`
}

// SessionBody answers a POST to PathSessions. Its id goes into HeaderIdempotencyKey, see SessionKey.
type SessionBody struct {
	ID uint64 `json:"id"`
}

// SnapshotBody answers a POST to PathSnapshot. Index is the last entry of the log that the snapshot has.
type SnapshotBody struct {
	Index uint64 `json:"index"`
}

// CheckBody answers a GET of PathCheck. When the states differ it stands in an ErrorBody.
type CheckBody struct {
	Index   uint64       `json:"index"` // of the last entry that the states include
	Differ  bool         `json:"differ"`
	Missing int          `json:"missing"` // members that gave no hash
	Members []MemberHash `json:"members"` // by id
}

// MemberHash is the hash of one member's state, right after one entry.
type MemberHash struct {
	ID      uint64 `json:"id"`
	API     string `json:"api,omitempty"`  // where clients reach it
	Hash    string `json:"hash,omitempty"` // SHA-256, in hexadecimal; empty: see Error
	Bytes   int64  `json:"bytes,omitempty"`
	Differs bool   `json:"differs,omitempty"` // from the hash of most members, or there is no such hash
	Passed  bool   `json:"passed,omitempty"`  // the member had applied more already
	Error   string `json:"error,omitempty"`   // why there is no hash: one clause
}

// Health answers PathLive and PathReady. The checks are there with ?verbose, and whenever one fails.
type Health struct {
	Status string  `json:"status"` // "ok" or "failed"
	Node   uint64  `json:"node"`
	Checks []Check `json:"checks,omitempty"`
}

// Check is one reason for a node's health, good or bad.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"` // when not OK: one clause
}

// ErrorBody is the error body of everything else.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
	Check *CheckBody  `json:"check,omitempty"` // with CodeMismatch
}

// ErrorDetail says what failed, what became of the request, and what to do. Leader is null when none is
// known.
type ErrorDetail struct {
	Code         Code    `json:"code"`
	Message      string  `json:"message"`
	Outcome      Outcome `json:"outcome"`
	Node         uint64  `json:"node"`
	Leader       *Leader `json:"leader"`
	Term         uint64  `json:"term"`
	RetryAfterMS int64   `json:"retry_after_ms,omitempty"`
}

// Leader names the leader. URL is where clients reach it, such as "http://127.0.0.1:8001"; absent when the
// answering node does not know it.
type Leader struct {
	ID  uint64 `json:"id"`
	URL string `json:"url,omitempty"`
}
