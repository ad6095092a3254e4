// Package disk is the few file operations that a write-ahead log and a store of snapshots need, twice: OS
// is the real ones, Memory is a disk in memory that loses power, tears writes, fills up, fails on demand
// and rots.
//
// # What a disk promises
//
// Written is not durable. A write is durable when File.Sync has returned nil after it; a created, renamed
// or removed name is durable when Dir.Sync has returned nil after it. A file's Sync says nothing about its
// name, and the directory's says nothing about what is in its files: who renames a file that was not synced
// may find, after a power cut, the new name with the old bytes.
//
// A power cut keeps any subset of the sectors (512 bytes, each whole or not at all) written since the last
// Sync, and any subset of the names changed since the last Dir.Sync. What was synced before stays.
//
// A failed Sync is final: the bytes may or may not be on the disk, the operating system may have forgotten
// that they are not, and a second Sync that succeeds proves nothing about them. So it is never called again
// for them; only bytes that are written again can become durable.
package disk

import (
	"errors"
	"io"
)

// Sector is the number of bytes that a power cut keeps or loses together.
const Sector = 512

var (
	// ErrLocked says that another process (or another Dir of this one) uses the directory. Nothing was
	// touched.
	ErrLocked = errors.New("the directory is in use by another process: " +
		"stop that one, or give this one a directory of its own")
	// ErrNoSpace says that the disk, or the owner's share of it, is full. Part of the write may have been
	// done.
	ErrNoSpace = errors.New("no space left on the disk")
)

// File is an open file. Its methods must not be called concurrently with each other.
type File interface {
	// ReadAt is io.ReaderAt: fewer bytes than asked for come with an error, io.EOF at the end of the file.
	io.ReaderAt
	// WriteAt is io.WriterAt: fewer bytes than given come with an error, and then any part of them may have
	// been written. Writing behind the end makes the file longer; a gap reads as zeros. ErrNoSpace when the
	// disk is full.
	io.WriterAt
	// Size returns the length of the file in bytes.
	Size() (int64, error)
	// Sync makes the content and the length durable. After an error what was written since the last Sync is
	// in doubt for good (see the package comment).
	Sync() error
	// Close releases the file and syncs nothing. Every later call fails with fs.ErrClosed.
	Close() error
}

// Opener opens files. Names have no directories in them.
type Opener interface {
	// Create makes a file of size zero bytes, readable and writable by its owner alone; the bytes need not
	// take space before they are written. An existing name is fs.ErrExist. Neither name nor length is
	// durable yet.
	Create(name string, size int64) (File, error)
	// Open opens an existing file for reading and writing. A missing one is fs.ErrNotExist.
	Open(name string) (File, error)
}

// Names is the directory itself.
type Names interface {
	// List returns the names of the files, sorted. The lock and subdirectories are not among them.
	List() ([]string, error)
	// Rename gives a file another name, in place of a file that had it. It is atomic, and durable after
	// Sync. The file should be closed (Windows refuses to rename an open one).
	Rename(from, to string) error
	// Remove takes a file's name away; durable after Sync. A missing one is fs.ErrNotExist.
	Remove(name string) error
	// Sync makes every change of names so far durable. Where a system cannot (Windows) it does nothing.
	Sync() error
}

// Dir is a directory that is locked for as long as it is open. Its methods may be called concurrently.
type Dir interface {
	Opener
	Names
	// Close releases the lock. Files stay open. A process that dies releases it too, however it dies.
	io.Closer
}
