package snapshot

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt says that a file holds something that no crash explains. It was left as it is. The message
	// names file, offset, and what is wrong.
	ErrCorrupt = errors.New("damaged snapshot: do not delete it by hand, for the log may no longer hold " +
		"what it includes; put back the undamaged file as it was at the last stop, or replace this node by " +
		"one with an empty directory and an id of its own")
	// ErrVersion says that a file was written by a later version of this program. It was left as it is.
	ErrVersion = errors.New("written by a later version: " +
		"start that one again, for this one would lose what it cannot read")
	// ErrForeign says that a snapshot belongs to another cluster. It was left as it is, or not taken.
	ErrForeign = errors.New("the snapshot belongs to another cluster")
	// ErrCodec says that a snapshot was written with a codec that this program was not given. It was left
	// as it is, or not taken.
	ErrCodec = errors.New("the snapshot was written with a codec that this program does not have: " +
		"start one that has it")
	// ErrInvalid says that the caller asked for what no snapshot can be. It is a bug of the caller; nothing
	// was written.
	ErrInvalid = errors.New("invalid snapshot")
	// ErrStale says that a snapshot as new as this one, or newer, is kept already. Nothing was changed.
	ErrStale = errors.New("a snapshot as new as this one is kept already")
	// ErrBusy says that another snapshot is being written, or received. Nothing was changed.
	ErrBusy = errors.New("another one is in progress")
	// ErrIncomplete says that bytes are missing at the end of what is received.
	ErrIncomplete = errors.New("the snapshot has not arrived completely")
	// ErrMismatch says that what arrived is not the snapshot that was announced, or a mixture of two. All
	// of it was dropped: Receiver.Next is 0 again.
	ErrMismatch = errors.New("what arrived is not the snapshot that was announced; it must be sent anew")
	// ErrMissing says that no such snapshot is kept.
	ErrMissing = errors.New("no such snapshot")
	// ErrFailed says that a sync has failed, and so has the store: no snapshot comes or goes any more.
	ErrFailed = errors.New("the disk has failed")
	// ErrClosed says that a Writer, Receiver or Reader was used after its end.
	ErrClosed = errors.New("closed")
)

// Damage is an ErrCorrupt with its place.
type Damage struct {
	File   string
	Offset int64 // in the file, in bytes
	What   string
}

// Error is the place, what is wrong there, and ErrCorrupt's words of what to do.
func (d *Damage) Error() string {
	return fmt.Sprintf("%s at byte %d: %s: %v", d.File, d.Offset, d.What, ErrCorrupt)
}

// Unwrap returns ErrCorrupt.
func (d *Damage) Unwrap() error { return ErrCorrupt }

func damage(file string, offset int64, format string, args ...any) error {
	return &Damage{File: file, Offset: offset, What: fmt.Sprintf(format, args...)}
}
