package wal

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt says that the directory holds something that no crash explains: bytes that were durable
	// have changed, or a file is missing. Nothing was written. The message names file, offset, and what is
	// wrong.
	ErrCorrupt = errors.New("damaged: do not delete or edit anything by hand, for a node that forgets what " +
		"it has acknowledged can cost the whole cluster committed entries; put back the undamaged file as " +
		"it was at the last stop, or replace this node by one with an empty directory and an id of its own")
	// ErrForeign says that the directory belongs to another node or to another cluster. Nothing was written.
	ErrForeign = errors.New("the data directory belongs to somebody else")
	// ErrNotInitialized says that the directory was never used, and that the caller gave too little to
	// begin in it. Nothing was written.
	ErrNotInitialized = errors.New("the data directory is not initialized")
	// ErrVersion says that the directory was written by a later version of this program. Nothing was written.
	ErrVersion = errors.New("written by a later version: " +
		"start that one again, for this one would lose what it cannot read")
	// ErrInvalid says that the caller asked for what no log can hold: a gap, a term that goes back, a kind
	// without a number. It is a bug of the caller; nothing was written.
	ErrInvalid = errors.New("invalid append")
	// ErrTooLarge says that one batch exceeds MaxBatch. Nothing was written.
	ErrTooLarge = errors.New("batch too large")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("log closed")
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
