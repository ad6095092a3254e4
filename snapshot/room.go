package snapshot

import (
	"fmt"

	"balsa/disk"
)

// The disk is shared with the log, and the two do not mean the same by it: a log that finds no room ends the
// node, a snapshot that finds none is taken or sent again later. So a snapshot gives way. Options.Reserve is
// what it leaves; it is refused before it begins if it cannot fit, given up when the disk has filled up
// meanwhile, and what it had taken is given back at once: the log will not wait for the next start.

// fits reports why so many bytes more would take what is left to the log. Where the disk cannot say what is
// free, only its own refusal tells.
func (s *Store) fits(bytes int64) error {
	free, known := disk.Free(s.dir)
	missing := bytes + s.options.Reserve - free
	if !known || missing <= 0 {
		return nil
	}
	return fmt.Errorf("%d bytes are needed, %d are free and %d of them are kept for the log: "+
		"make room for at least %d more: %w",
		bytes, free, min(free, s.options.Reserve), missing, disk.ErrNoSpace)
}

// spares is fits for the next bytes of a snapshot that has begun. Without a reserve the disk itself says it.
func (s *Store) spares(bytes int) error {
	if s.options.Reserve == 0 {
		return nil
	}
	return s.fits(int64(bytes))
}

// doubted is how many snapshots in a row are refused because of the size of the one before. The next is tried
// all the same, as far as it gets: the state may have become smaller, and a log that waits for a snapshot
// grows until nothing helps.
const doubted = 7

// expected reports why a snapshot about as large as the newest one finds no room. Written as far as it goes,
// gigabytes would pass through the disk at each attempt for nothing.
func (k *Keeper) expected() error {
	newest, any := k.store.Latest()
	if !any {
		return nil
	}
	err := k.store.fits(newest.Size)
	if err == nil || k.doubts == doubted {
		k.doubts = 0
		return nil
	}
	k.doubts++
	return fmt.Errorf("snapshot: as large as the last one: %w", err)
}

// pause is how many messages are answered without taking anything after the disk was found full in the middle
// of a snapshot, and cannot say when there is room again: begun anew at once, the snapshot would fill it
// again and again. A leader that makes no progress sends ever more rarely.
const pause = 64
