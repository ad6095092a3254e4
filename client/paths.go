package client

import (
	"net/url"
	"strings"
)

// The paths of the API. Those that end in a slash are followed by a key, see KeyPath.
const (
	PathSubmit       = "/client/submit" // POST SubmitRequest; the text form of a command
	PathLeader       = "/client/leader" // GET LeaderResponse
	PathClientStatus = "/client/status" // GET ClientStatus
	PathClientGet    = "/client/get/"   // GET ClientItem: this node's own state, which may be behind
	PathClientKV     = "/client/kv"     // GET all keys and values of this node's own state as one JSON object
	PathKV           = "/v1/kv/"        // GET, HEAD, PUT, DELETE: raw bytes, at any node
	PathIncrement    = "/incr"          // behind a key below PathKV: POST IncrementRequest
	PathSessions     = "/v1/sessions"   // POST SessionRequest
	PathSession      = "/v1/sessions/"  // with an id behind it: DELETE
	PathSnapshot     = "/v1/snapshot"   // POST: the node takes a snapshot of its own state now
	PathBackup       = "/v1/backup"     // GET: a backup of the node's state, streamed; see Client.Backup
	PathCheck        = "/v1/check"      // GET CheckBody: the hashes of all members' states at one index
	PathStatus       = "/v1/status"     // GET Status
	PathLive         = "/livez"         // GET Health: the node's loop turns
	PathReady        = "/readyz"        // GET Health: the node can serve
	PathHealth       = "/health"        // the same as PathReady
)

// The paths of the members. Only the leader answers below them; others say where it is.
const (
	PathCluster  = "/v1/cluster"                 // GET Cluster, with ?stale at any node; PATCH ClusterPatch
	PathMembers  = "/v1/cluster/members"         // POST MemberRequest; PUT VotersRequest
	PathMember   = "/v1/cluster/members/"        // with an id behind it: PATCH MemberPatch; DELETE
	PathTransfer = "/v1/cluster/leader/transfer" // POST TransferRequest
)

// The headers of the API. Revisions, terms and node ids are decimals.
const (
	HeaderRevision       = "Balsa-Revision"        // of the state from which the answer was made
	HeaderTerm           = "Balsa-Term"            // the node's term
	HeaderLeader         = "Balsa-Leader"          // the leader's id; absent if unknown
	HeaderServedBy       = "Balsa-Served-By"       // the answering node's id; always there
	HeaderConsistency    = "Balsa-Consistency"     // what the answer promises, see the Consistency constants
	HeaderLastContact    = "Balsa-Last-Contact"    // of stale reads, in milliseconds; absent without a leader
	HeaderCluster        = "Balsa-Cluster"         // the id of the cluster, in hexadecimal
	HeaderCreateRevision = "Balsa-Create-Revision" // the write that created the key
	HeaderVersion        = "Balsa-Version"         // how many writes since then; 1 for a new key
	HeaderIdempotencyKey = "Idempotency-Key"       // of a write: see Once
	HeaderReplayed       = "Idempotent-Replayed"   // "true": an earlier try did it; this is what it answered
	HeaderBackupIndex    = "Balsa-Backup-Index"    // of the last entry that a backup includes
	HeaderBackupTerm     = "Balsa-Backup-Term"     // of that entry
	HeaderDigest         = "Balsa-Digest"          // behind a backup: "sha-256=" and that of all its bytes
	HeaderExpires        = "Balsa-Expires"         // when the key goes away, RFC 3339; absent if it stays
)

// What an answer promises, as HeaderConsistency and ?consistency say it. None is ever weaker than what was
// asked for; a stronger one may be given.
const (
	// ConsistencyLinearizable: the answer contains every write that was acknowledged to anybody before the
	// question was asked. It is the default, and what writes always get.
	ConsistencyLinearizable = "linearizable"
	// ConsistencyLease: as linearizable, if every node's clock runs true within the bound that the cluster's
	// configuration states. Without such a bound it is linearizable.
	ConsistencyLease = "lease"
	// ConsistencyLeader: the applied state of a node that believes to lead, not confirmed with the others: a
	// leader that was just cut off and does not know it yet may answer with what a newer leader has
	// overwritten since.
	ConsistencyLeader = "leader"
	// ConsistencyStale: the applied state of the node that was asked, however old.
	ConsistencyStale = "stale"
)

// KeyPath returns the path, percent-escaped, under which a key lies below PathKV or PathClientGet. A key is
// any bytes: each that means something in a path is escaped, slashes and lone dots too, so that nothing on
// the way tidies up.
func KeyPath(prefix, key string) string {
	if key == "." || key == ".." {
		return prefix + strings.ReplaceAll(key, ".", "%2E")
	}
	return prefix + url.PathEscape(key)
}
