package replica

import (
	"fmt"
	"hash/crc32"
	"io"
	"runtime/debug"

	"balsa/raft"
)

// Snapshots is where a replica keeps its snapshots. Its methods may be called concurrently, each of them not
// with itself.
type Snapshots interface {
	// Save makes a snapshot of an image durable, and returns it with its Size. It drops the oldest beyond
	// two. After an error nothing counts that did not count before.
	Save(s raft.Snapshot, image io.WriterTo) (raft.Snapshot, error)
	// Chunk reads a kept snapshot as it is sent, from an offset on, as much as the buffer holds.
	Chunk(last raft.EntryID, offset uint64, buffer []byte) (n int, err error)
	// Store takes in a chunk of a snapshot that arrives, or, when it has no Data, only tells how far that one
	// has arrived: next is the offset from which on it is lacking. When it is whole, verified and durable,
	// complete names it. What cannot be used only fails to move next; what finds no room may be dropped, and
	// next is 0 again. An error means that the disk has failed, and is final.
	Store(m raft.InstallSnapshot) (next uint64, complete *raft.Snapshot, err error)
	// Restore has a kept snapshot read from its beginning to its end, and verified on the way.
	Restore(last raft.EntryID, into func(io.Reader) error) error
	// List returns the snapshots kept, the newest first.
	List() []raft.Snapshot
}

// Capture is to be performed on the machine; its outcome is fed back. It takes no time to speak of.
type Capture struct{ Snapshot raft.Snapshot }

// Perform captures the machine, which has applied exactly up to Snapshot.Last.
func (c Capture) Perform(machine *Machine) (captured Captured) {
	captured.Snapshot = c.Snapshot
	defer func() {
		if p := recover(); p != nil {
			captured.Err = fmt.Errorf("%w: capturing its state panicked: %v\n%s", ErrStateMachine, p,
				debug.Stack())
		}
	}()
	if machine.last != c.Snapshot.Last {
		captured.Err = fmt.Errorf("%w: a snapshot up to %v was to be captured after %v", errGapBefore,
			c.Snapshot.Last, machine.last)
		return captured
	}
	image, err := machine.capture()
	if err != nil {
		captured.Err = fmt.Errorf("%w: its state could not be captured: %w", ErrStateMachine, err)
	}
	captured.Image = image
	return captured
}

// Save is to be performed on the snapshots; its outcome is fed back. There is at most one in flight, beside
// whatever is done with the machine.
type Save struct {
	Snapshot raft.Snapshot // its Size is not known yet
	Image    io.WriterTo
}

// Perform makes the snapshot durable. It may take as long as the disk does.
func (s Save) Perform(snapshots Snapshots) (saved Saved) {
	saved.Snapshot = s.Snapshot
	defer func() {
		if p := recover(); p != nil {
			saved.Err = fmt.Errorf("writing a snapshot panicked: %v\n%s", p, debug.Stack())
		}
	}()
	done, err := snapshots.Save(s.Snapshot, s.Image)
	if err != nil {
		saved.Err = err
		return saved
	}
	saved.Snapshot.Size = done.Size
	return saved
}

// Restore is to be performed on the machine; its outcome is fed back. There is at most one of Apply, Capture
// and Restore in flight.
type Restore struct{ Snapshot raft.Snapshot }

// Perform replaces the machine's state by that of the snapshot. It may take as long as the disk and the state
// machine do.
func (r Restore) Perform(machine *Machine, snapshots Snapshots) (restored Restored) {
	restored.Snapshot = r.Snapshot
	defer func() {
		if p := recover(); p != nil {
			restored.Err = fmt.Errorf("%w: restoring %v panicked: %v\n%s", ErrStateMachine,
				r.Snapshot.Last, p, debug.Stack())
		}
	}()
	last := r.Snapshot.Last
	restored.Err = snapshots.Restore(last, func(from io.Reader) error { return machine.restore(last, from) })
	restored.Due = machine.due()
	return restored
}

// ReadChunk is to be performed on the snapshots; its outcome is fed back. There is at most one in flight.
type ReadChunk struct {
	Letter raft.Letter // an InstallSnapshot without Data
	Limit  int         // bytes of Data
}

// Perform reads what the letter is to carry.
func (c ReadChunk) Perform(snapshots Snapshots) (read ChunkRead) {
	read.Letter = c.Letter
	defer func() {
		if p := recover(); p != nil {
			read.Err = fmt.Errorf("reading a snapshot panicked: %v\n%s", p, debug.Stack())
		}
	}()
	m := c.Letter.Message.(raft.InstallSnapshot)
	m.Data = make([]byte, c.Limit)
	n, err := snapshots.Chunk(m.Last, m.Offset, m.Data)
	if err != nil {
		read.Err = err
		return read
	}
	m.Data = m.Data[:n]
	m.Checksum = crc32.Checksum(m.Data, crc32.MakeTable(crc32.Castagnoli))
	read.Letter.Message = m
	return read
}

// StoreChunk is to be performed on the snapshots; its outcome is fed back. There is at most one in flight.
type StoreChunk struct{ Chunk raft.Chunk }

// Perform takes the chunk in. It may take as long as the disk does, and the first in a run as long as it
// takes to verify what an earlier run has left.
func (c StoreChunk) Perform(snapshots Snapshots) (stored ChunkStored) {
	stored.Chunk = c.Chunk
	defer func() {
		if p := recover(); p != nil {
			stored.Err = fmt.Errorf("storing a snapshot panicked: %v\n%s", p, debug.Stack())
		}
	}()
	stored.Next, stored.Complete, stored.Err = snapshots.Store(c.Chunk.Message)
	return stored
}

// Captured says how a Capture ended.
type Captured struct {
	Snapshot raft.Snapshot
	Image    io.WriterTo
	Err      error // final: it stops the replica
}

// Saved says how a Save ended.
type Saved struct {
	Snapshot raft.Snapshot // with its Size
	Err      error         // final, unless Config.Passing says otherwise
}

// Restored says how a Restore ended.
type Restored struct {
	Snapshot raft.Snapshot
	Due      raft.Time // as in Ran
	Err      error     // final: it stops the replica
}

// ChunkRead says how a ReadChunk ended. An error is reported and passes: the chunk is asked for again.
type ChunkRead struct {
	Letter raft.Letter // complete, unless there was an error
	Err    error
}

// ChunkStored says how a StoreChunk ended.
type ChunkStored struct {
	Chunk    raft.Chunk
	Next     uint64
	Complete *raft.Snapshot // nil: not whole yet
	Err      error          // final: it stops the replica
}

// TakeSnapshot asks for a snapshot now, whatever Limits.SnapshotBytes says, and to be told under the ticket
// when it is durable: Done, or NothingNew, or NotSaved.
type TakeSnapshot struct{ Ticket raft.Ticket }

func (TakeSnapshot) isEvent() {}
func (Captured) isEvent()     {}
func (Saved) isEvent()        {}
func (Restored) isEvent()     {}
func (ChunkRead) isEvent()    {}
func (ChunkStored) isEvent()  {}

// SnapshotFailed is the event that a snapshot could not be taken, or not be read to be sent. It will be tried
// again.
type SnapshotFailed struct{ Err error }

// String is one sentence.
func (e SnapshotFailed) String() string {
	return fmt.Sprintf("could not deal with a snapshot, and will try again: %v", e.Err)
}
