package sim

import (
	"fmt"
	"hash/crc32"

	"balsa/raft"
)

// Kind says what happened in an event of the trace. The numbers are part of every digest.
type Kind uint8

// The kinds of events.
const (
	Intervened Kind = iota + 1 // an operation of the script, or of the swarm
	Started                    // a server
	StartFailed
	Died
	Ticked
	Sent
	Delivered
	Dropped // a message, for whatever reason
	Returned
	Written // a write has ended
	Applied // entries
	Sealed
	Prepared
	Captured // the state of a machine
	Restored
	Saved // a snapshot
	ChunkRead
	ChunkStored
	Called  // by a client
	Taken   // by a server
	Replied // by a server
	Heard   // an answer by its client
	TimedOut
	Administered // an answer to an administrator
	Decided      // inside a server: no event of its own, and no part of the digest
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"", "intervened", "started", "start failed", "died", "ticked", "sent", "delivered",
		"dropped", "returned", "written", "applied", "sealed", "prepared", "captured", "restored", "saved",
		"chunk read", "chunk stored", "called", "taken", "replied",
		"heard", "timed out", "administered", "decided"}[k]
}

// Record is one event of the trace. What its numbers mean depends on the kind.
type Record struct {
	Moment
	Cause uint64 // the event that led to this one; 0: the script, or nothing
	Kind  Kind
	Node  raft.NodeID // whom it happened to
	Peer  raft.NodeID // the other end of a message; or the client
	N     uint64      // the message's number on its link; the write; the request
	Hash  uint64      // of what it carries

	// For observers only, no part of the digest.
	Message raft.Message // of Sent and Delivered
	Event   raft.Event   // of Decided
	Op      *Op          // of Intervened
	Ticket  raft.Ticket  // of Administered
	Text    string       // what there is to say
}

// String is a line for people.
func (r Record) String() string {
	text := r.Text
	switch {
	case r.Event != nil:
		text = r.Event.String()
	case r.Op != nil:
		text = r.Op.String()
	case r.Message != nil:
		text = fmt.Sprintf("%T %+v", r.Message, r.Message)
	}
	return fmt.Sprintf("e%d %v %v n%v %v %s", r.Position, r.Time, r.Kind, r.Node, r.Peer, text)
}

// DigestEvery is how many events lie between two digests of the chain that a run keeps: enough of them to say
// from which event on another version does something else.
const DigestEvery = 256

// trace numbers the events and keeps their digest.
type trace struct {
	position uint64
	digest   uint64
	chain    []uint64
	observe  func(Record) // nil: nobody watches
	counts   [Decided + 1]uint64
}

// note enters an event and returns its number.
func (t *trace) note(r Record) uint64 {
	if r.Kind == Decided {
		r.Position = t.position
	} else {
		t.position++
		r.Position = t.position
		t.counts[r.Kind]++
		h := mix(t.digest, uint64(r.Time))
		h = mix(h, uint64(r.Kind)<<48|uint64(r.Node)<<24|uint64(r.Peer))
		t.digest = mix(mix(mix(h, r.Cause), r.N), r.Hash)
		if t.position%DigestEvery == 0 {
			t.chain = append(t.chain, t.digest)
		}
	}
	if t.observe != nil {
		t.observe(r)
	}
	return r.Position
}

// hashBytes is a 64-bit hash of bytes: of long ones by two checksums, which processors compute many times
// faster than anything else, and of short ones eight bytes at a time.
func hashBytes(b []byte) uint64 {
	h := uint64(len(b))
	if len(b) >= 128 {
		castagnoli := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		return mix(h, uint64(castagnoli)<<32|uint64(crc32.ChecksumIEEE(b)))
	}
	for ; len(b) >= 8; b = b[8:] {
		h = mix(h, uint64(b[0])|uint64(b[1])<<8|uint64(b[2])<<16|uint64(b[3])<<24|
			uint64(b[4])<<32|uint64(b[5])<<40|uint64(b[6])<<48|uint64(b[7])<<56)
	}
	last := uint64(0)
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	return mix(h, last)
}
