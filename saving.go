package balsa

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
)

// saves is what a node remembers of the snapshots that it takes.
type saves struct {
	saving bool
	began  time.Time // when the state was captured that is being saved
	last   LastSnapshot
}

// finished takes note of the end of a Save, and of a snapshot that has become the newest.
func (s *saves) finished(saved replica.Saved, newest raft.Snapshot) {
	s.saving = false
	if saved.Err == nil && saved.Snapshot.Last == newest.Last {
		now := time.Now()
		s.last = LastSnapshot{Index: newest.Last.Index, Size: newest.Size, At: now, Took: now.Sub(s.began)}
	}
}

// slowSave is for how long a snapshot may be saved before it is told: a disk that hangs fails nothing, and
// the log grows all the same.
const slowSave = 5 * time.Minute

// snapshotFailure returns what is wrong with the taking of snapshots, nil when nothing is known, and how
// long it is until the next attempt.
func (l *loop) snapshotFailure() (wait time.Duration, err error) {
	if took := time.Since(l.saves.began); l.saves.saving && took >= slowSave {
		took = took.Truncate(time.Second)
		return time.Second, fmt.Errorf("it has been written for %v and is not done", took)
	}
	left, err := l.replica.SnapshotFailure()
	return time.Duration(left), err
}

// snapshots are those on the disk as the workers use them: what takes long makes room for what must not wait,
// and ends early when the node does. A state of gigabytes would otherwise hold up Close for as long as it
// takes to be written.
type snapshots struct {
	*snapshot.Keeper
	logger    *slog.Logger
	dismissed <-chan struct{}
	hurry     *atomic.Bool // entries wait for the snapshot that is being saved

	refusal string // told last
}

// errDismissed ends what is under way when the node ends. Nobody is told.
var errDismissed = errors.New("the node is closing")

// Save writes a snapshot at an easy pace, unless entries wait for it.
func (s *snapshots) Save(of raft.Snapshot, image io.WriterTo) (raft.Snapshot, error) {
	return s.Keeper.Save(of, paced{image, s.dismissed, s.hurry})
}

// Restore reads a snapshot as fast as it goes: nothing can be applied before.
func (s *snapshots) Restore(last raft.EntryID, into func(io.Reader) error) error {
	return s.Keeper.Restore(last, func(from io.Reader) error { return into(closable{from, s.dismissed}) })
}

// Store takes in a chunk, and says why when none of the snapshot can be taken: its leader would only see that
// it makes no progress, and sends it for ever. What an earlier process has left is verified with rests, since
// the log has to be written meanwhile, and no further when the node ends; the leader waits.
func (s *snapshots) Store(m raft.InstallSnapshot) (next uint64, complete *raft.Snapshot, err error) {
	for more := true; more; {
		began := time.Now()
		next, complete, err = s.Keeper.Store(m)
		more = s.Keeper.Resuming() && pause(s.dismissed, time.Since(began)) == nil
	}
	why, refusal := s.Keeper.Refusal(), ""
	switch {
	case errors.Is(why, disk.ErrNoSpace):
		refusal = disk.ErrNoSpace.Error() // how much is missing is another number each time
	case why != nil:
		refusal = why.Error()
	}
	if refusal != s.refusal && refusal != "" {
		s.logger.Warn("Cannot take the snapshot that the leader sends", "through", m.Last, "error", why)
	}
	s.refusal = refusal
	return next, complete, err
}

// going returns nil until the node ends.
func going(dismissed <-chan struct{}) error {
	select {
	case <-dismissed:
		return errDismissed
	default:
		return nil
	}
}

// pause lets time pass, or returns an error as soon as the node ends.
func pause(dismissed <-chan struct{}, d time.Duration) error {
	select {
	case <-dismissed:
		return errDismissed
	case <-time.After(d):
		return nil
	}
}

// closable is a reader that fails when the node ends.
type closable struct {
	from      io.Reader
	dismissed <-chan struct{}
}

func (c closable) Read(p []byte) (int, error) {
	if err := going(c.dismissed); err != nil {
		return 0, err
	}
	return c.from.Read(p)
}

// paced is an image that is written in pieces, with rests between them.
type paced struct {
	image     io.WriterTo
	dismissed <-chan struct{}
	hurry     *atomic.Bool
}

// WriteTo writes the image.
func (p paced) WriteTo(to io.Writer) (int64, error) {
	return p.image.WriteTo(&pacer{to: to, dismissed: p.dismissed, hurry: p.hurry, began: time.Now()})
}

const (
	// pieceBytes is how much is written between two looks at the clock.
	pieceBytes = 64 << 10
	// effort is for how long a snapshot is written before it rests, for twice as long as it took: it has at
	// most a third of a processor and of the disk, in portions that a write of the log can wait for.
	effort = 2 * time.Millisecond
	// longestRest bounds that: a disk that hung for a minute would be left alone for two more.
	longestRest = time.Second
)

// pacer writes in pieces and rests between them. The time to make the bytes counts as well as that to write
// them. It fails when the node ends.
type pacer struct {
	to        io.Writer
	dismissed <-chan struct{}
	hurry     *atomic.Bool // no rest is due
	began     time.Time    // when it last took up work
}

func (p *pacer) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		var m int
		m, err = p.to.Write(b[:min(len(b), pieceBytes)])
		n, b = n+m, b[m:]
		if err == nil {
			err = p.rest()
		}
	}
	return n, err
}

// rest lets time pass if it is due.
func (p *pacer) rest() error {
	took := time.Since(p.began)
	if took < effort || p.hurry.Load() {
		return going(p.dismissed)
	}
	err := pause(p.dismissed, min(2*took, longestRest))
	p.began = time.Now()
	return err
}
