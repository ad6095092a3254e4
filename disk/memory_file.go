package disk

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
)

const pageSize = 4096 // the unit in which files take memory, and in which Limit counts

// inode is the content of a file: pages of which those never written are nil, and what the disk itself
// holds under each sector written since the last sync.
//
//	sector      0    1    2    3    4
//	pages     │ A' │ B  │ C' │ .. │ .. │   what processes read
//	unsynced  │ A  │    │ C  │         │   what the disk holds where that differs
type inode struct {
	pages    []*[pageSize]byte
	size     int64
	synced   int64 // the durable size
	unsynced map[int64]before
}

// before is what the disk holds under an unsynced sector.
type before struct {
	sector *[Sector]byte // nil: zeros
	failed bool          // a sync failed on it: the page counts as clean, so a later sync does not write it
}

// read copies from the file and returns how many bytes there were.
func (f *inode) read(p []byte, off int64) int {
	if off >= f.size {
		return 0
	}
	p = p[:min(int64(len(p)), f.size-off)]
	for done := 0; done < len(p); {
		at := off + int64(done)
		part := p[done:min(int64(len(p)), int64(done)+pageSize-at%pageSize)]
		if page := f.page(at); page != nil {
			copy(part, page[at%pageSize:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return len(p)
}

// write copies into the file, and remembers what the disk holds under each sector that it touches.
func (f *inode) write(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	end := off + int64(len(p))
	for s := off / Sector; s*Sector < end; s++ {
		f.touch(s)
	}
	f.size = max(f.size, end)
	f.poke(p, off)
}

// poke copies into the file and calls it durable.
func (f *inode) poke(p []byte, off int64) {
	for done := 0; done < len(p); {
		at := off + int64(done)
		done += copy(f.makePage(at)[at%pageSize:], p[done:])
	}
}

// touch notes what the disk holds under a sector that is about to be written.
func (f *inode) touch(s int64) {
	if b, known := f.unsynced[s]; known {
		f.unsynced[s] = before{sector: b.sector} // dirty anew, if a sync had failed on it
		return
	}
	if f.page(s*Sector) == nil {
		f.unsynced[s] = before{}
		return
	}
	old := new([Sector]byte)
	copy(old[:], f.page(s * Sector)[s*Sector%pageSize:])
	f.unsynced[s] = before{sector: old}
}

// page returns the page that holds a byte; nil if it was never written.
func (f *inode) page(at int64) *[pageSize]byte {
	if n := at / pageSize; n < int64(len(f.pages)) {
		return f.pages[n]
	}
	return nil
}

func (f *inode) makePage(at int64) *[pageSize]byte {
	n := at / pageSize
	if grow := n + 1 - int64(len(f.pages)); grow > 0 {
		f.pages = append(f.pages, make([]*[pageSize]byte, grow)...)
	}
	if f.pages[n] == nil {
		f.pages[n] = new([pageSize]byte)
	}
	return f.pages[n]
}

// sync makes the content durable, but for what an earlier sync failed on.
func (f *inode) sync() {
	f.synced = f.size
	maps.DeleteFunc(f.unsynced, func(_ int64, b before) bool { return !b.failed })
}

// failSync marks what is unsynced as lost to every later sync: the operating system drops the dirty marks
// of pages that it could not write ("Can Applications Recover from fsync Failures?", USENIX ATC 2020).
func (f *inode) failSync() {
	for s, b := range f.unsynced {
		f.unsynced[s] = before{sector: b.sector, failed: true}
	}
}

// cut loses what keep does not keep of the unsynced content.
func (f *inode) cut(name string, keep Keep) {
	for _, s := range slices.Sorted(maps.Keys(f.unsynced)) {
		if keep(Pending{Name: name, Sector: s}) {
			continue
		}
		old := f.unsynced[s].sector
		if old == nil {
			old = new([Sector]byte)
		}
		f.poke(old[:], s*Sector)
	}
	clear(f.unsynced)
	if f.size != f.synced {
		change := fmt.Sprintf("size %d to %d", f.synced, f.size)
		if !keep(Pending{Name: name, Change: change}) {
			f.truncate(f.synced)
		}
	}
	f.synced = f.size
}

// truncate shortens the file: what it gives up reads as zeros if it grows again.
func (f *inode) truncate(size int64) {
	f.size = size
	whole := (size + pageSize - 1) / pageSize
	if whole < int64(len(f.pages)) {
		f.pages = f.pages[:whole:whole]
	}
	if page := f.page(size); page != nil && size%pageSize != 0 {
		clear(page[size%pageSize:])
	}
}

// space is how many bytes the file takes, and how many more a write would make it take.
func (f *inode) space() (taken int64) {
	for _, page := range f.pages {
		if page != nil {
			taken += pageSize
		}
	}
	return taken
}

// fits returns how many of n bytes at off can be written if at most free more bytes may be taken.
func (f *inode) fits(n int, off, free int64) int {
	end := off + int64(n)
	for at := off; at < end; at += pageSize - at%pageSize {
		if f.page(at) != nil {
			continue
		}
		if free -= pageSize; free < 0 {
			return int(at - off)
		}
	}
	return n
}

func (f *inode) clone() *inode {
	// Old sectors are never written to, so both may have them.
	c := &inode{size: f.size, synced: f.synced, unsynced: maps.Clone(f.unsynced)}
	for _, page := range f.pages {
		if page != nil {
			p := *page
			page = &p
		}
		c.pages = append(c.pages, page)
	}
	return c
}

// memoryFile is a file in the hands of one process.
type memoryFile struct {
	m       *Memory
	session int
	name    string
	inode   *inode
	closed  bool
}

// enter locks the disk and counts an operation; the caller unlocks it.
func (f *memoryFile) enter(op Operation) error {
	f.m.mu.Lock()
	if f.closed {
		return fs.ErrClosed
	}
	return f.m.call(f.session, op, f.name)
}

func (f *memoryFile) ReadAt(p []byte, off int64) (int, error) {
	err := f.enter(OpRead)
	defer f.m.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n := f.inode.read(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes. A write that fails has written its first half, one that the power cut interrupts all of
// it (of which the cut keeps what it likes).
func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.enter(OpWrite)
	defer f.m.mu.Unlock()
	n := len(p)
	if !goesOn(err) {
		if f.closed || f.m.dead || f.session != f.m.session {
			return 0, err
		}
		n /= 2
	} else if room := f.m.room(f.inode, n, off); room < n {
		n, err = room, fmt.Errorf("write %s: %w", f.name, ErrNoSpace)
	}
	f.inode.write(p[:n], off)
	return n, err
}

func (f *memoryFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed || f.session != f.m.session {
		return 0, fs.ErrClosed
	}
	return f.inode.size, nil
}

func (f *memoryFile) Sync() error {
	err := f.enter(OpSync)
	defer f.m.mu.Unlock()
	if err == nil {
		f.inode.sync()
	} else if f.session == f.m.session && !f.m.dead {
		f.inode.failSync()
	}
	return err
}

func (f *memoryFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	return nil
}
