package snapshot

import (
	"fmt"

	"balsa/disk"
)

// The disk is shared with the log, and the two do not mean the same by it: a log that finds no room ends the
// node, a snapshot that finds none is taken or sent again later. So a snapshot gives way. Options.Reserve is
// what it leaves; it is refused before it begins if it cannot fit, given up when the disk has filled up
// meanwhile, and what it had taken is given back at once: the log will not wait for the next start.
//
// But the log also lives on snapshots: without any it grows to its limit, and the node takes no command more.
// On a disk that will never have room for the whole reserve, a part of it must do.

// reserve is what the snapshots that are written, or those that arrive, leave to the log.
type reserve struct {
	whole int64 // bytes: Options.Reserve
	now   int64 // bytes: of the next one, or the one in progress
}

// fits reports why a snapshot that needs so many bytes more would take what is left to the log, and has the
// next one leave half as much, down to a quarter of the whole. Where the disk cannot say what is free, only
// its own refusal tells. The snapshot, as a person is told of it, is what it is about.
func (s *Store) fits(r *reserve, need int64, snapshot string) error {
	free, known := disk.Free(s.dir)
	missing := need + r.now - free
	if !known || missing <= 0 {
		return nil
	}
	kept := r.now
	r.now = max(r.now/2, r.whole/4)
	return fmt.Errorf("%s does not fit: %d bytes are free, and %d of them are kept for the log: "+
		"make room for at least %d more: %w", snapshot, free, min(free, kept), missing, disk.ErrNoSpace)
}

// found begins the reserve anew after a snapshot that has found room.
func (r *reserve) found() { r.now = r.whole }

// maxSkipped is how many snapshots in a row are not begun because of the size of the one before. The next is
// tried all the same, as far as it gets: the state may have become smaller, and a log that waits for a
// snapshot grows until nothing helps.
const maxSkipped = 7

// expected reports why a snapshot about as large as the newest one finds no room. Written as far as it goes,
// gigabytes would pass through the disk at each attempt for nothing.
func (k *Keeper) expected() error {
	newest, any := k.store.Latest()
	if !any {
		return nil
	}
	if k.skipped == maxSkipped {
		k.skipped = 0
		return nil
	}
	err := k.store.fits(&k.store.ours, newest.Size,
		fmt.Sprintf("a snapshot of %d bytes, as many as the last one has,", newest.Size))
	if err == nil {
		k.skipped = 0
		return nil
	}
	k.skipped++
	return fmt.Errorf("snapshot: %w", err)
}

// restMessages is how many messages are answered without taking anything after the disk was found full in the
// middle of a snapshot, and cannot say when there is room again: begun anew at once, the snapshot would fill
// it again and again. A leader that makes no progress sends ever more rarely.
const restMessages = 64
