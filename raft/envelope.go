package raft

import (
	"encoding/hex"
	"strconv"
)

// ClusterID tells clusters apart: a hash of the bootstrap configuration and the cluster's name. The zero id
// is no cluster.
type ClusterID [16]byte

// String prints the id in hexadecimal.
func (id ClusterID) String() string { return hex.EncodeToString(id[:]) }

// Incarnation is drawn at random when a data directory is first used, so that a wiped disk under an old id is
// recognised. 0 is unknown.
type Incarnation uint64

// Identity says which server of which cluster, in which of its lives, sends a message. It is looked at before
// any field of Raft is.
type Identity struct {
	Cluster     ClusterID
	Node        NodeID
	Incarnation Incarnation
	// Start counts the starts of this data directory; it is counted up, durably, before the first message.
	Start uint64
	// Configuration is the index of the latest configuration that the sender knows to name this incarnation;
	// 0: none does, as the bootstrap configuration names none.
	Configuration Index
	// API is where clients reach the sender, such as "http://127.0.0.1:8001"; empty when it does not say. It
	// is no part of who the sender is, and nothing is refused for it: it travels here so that a node that a
	// client should not have asked can name the one to ask.
	API string
	// Address is where peers reach the sender, as it says itself; empty when it does not say. Like API it is
	// no part of who the sender is: the leader has the configuration follow it.
	Address string
	// Version is the newest cluster version (Configuration.Version) that the sender's program supports; 0:
	// the program is from before that was said.
	Version uint32
}

// SupportedVersion is the newest cluster version that this program supports. From version 1 on entries of
// kind ConfigurationChange may stand in the log.
const SupportedVersion uint32 = 1

// Envelope is a message on its way between two servers.
type Envelope struct {
	From     Identity
	To       NodeID
	Sequence Sequence
	Message  Message
}

// Acquaintance is what a server remembers of another across restarts, from before it acts on that one's
// first message: a data directory that was wiped or put back under an old id has forgotten what it
// promised, and must not be taken for the one that made the promise.
type Acquaintance struct {
	Node        NodeID
	Incarnation Incarnation // of the data directory that was met under that id
	Start       uint64      // the latest start of it
}

// IdentityReason says why a server does not listen to another. The numbers are part of every format.
type IdentityReason uint8

// The reasons for IdentityRefused.
const (
	OtherCluster     IdentityReason = 1 // the sender belongs to another cluster
	OtherReceiver    IdentityReason = 2 // the message was meant for another server
	SameID           IdentityReason = 3 // the sender uses the receiver's own id
	OtherIncarnation IdentityReason = 4 // the id is named, or was met, with another data directory
	OlderStart       IdentityReason = 5 // a later start of that data directory was met before
	NoIdentity       IdentityReason = 6 // the message names no sender, and this server takes none by hand
	NotAMember       IdentityReason = 7 // no configuration that the receiver knows names the sender
	Nonsense         IdentityReason = 8 // a message by hand that no correct server would send
)

// String is a clause about the refused sender that a person can act on.
func (r IdentityReason) String() string {
	switch r {
	case OtherCluster:
		return "belongs to another cluster: start every node with the same --peers and --cluster"
	case OtherReceiver:
		return "sent a message that was meant for another node: an address in --peers names the wrong node"
	case SameID:
		return "uses the receiver's own id: give every node an --id of its own"
	case OtherIncarnation:
		return "uses the id of a node that runs, or ran, with another data directory, and knows nothing of " +
			"what that one promised: `balsa member replace ID` lets it take that one's place; otherwise " +
			"give it its own --id, or its old data directory back"
	case OlderStart:
		return "is an earlier start, or an old copy, of a data directory that was started later: " +
			"start it with that directory as it was at its last stop"
	case NotAMember:
		return "is no member of this cluster: it was removed, or never added; to add it, start it by " +
			"`balsa serve --join` with an empty data directory or a new --id"
	case Nonsense:
		return "sent a message that no correct node sends now: nothing was done; its log says why"
	case NoIdentity:
		return "does not say who it is, or does not prove it: messages written by hand are taken only with " +
			"--raft-by-hand, and a certificate must name its node, as in node-3"
	}
	return "reason " + strconv.Itoa(int(r))
}
