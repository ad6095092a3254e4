package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

// Memory is a disk in memory with one directory, and the faults of a real one. A process uses it through
// the Dir that Open returns; whoever plays the world cuts its power (Crash), kills the process (Kill),
// makes operations fail (Intercept), fills it up (Limit) and lets it rot (Flip, Zero, Plant, Delete).
//
// It is deterministic: the same calls and the same answers of the functions given to it lead to the same
// bytes. It starts no goroutine; all methods may be called concurrently. An operation costs in proportion
// to the bytes it moves, a Sync in proportion to the sectors written since the last one, and a sector never
// written takes no memory.
type Memory struct {
	mu      sync.Mutex
	names   map[string]*inode // the directory as processes see it
	durable map[string]*inode // the directory as a power cut leaves it
	changes []change          // what leads from durable to names, in order

	session   int  // counts Open, Crash and Kill: what was opened in an earlier session is dead
	locked    bool // the current session's Dir is open
	dead      bool // the power is off until Crash
	intercept func(Call) error
	calls     int
	limit     int64 // bytes that files may take; 0 is no limit
}

// change is one change of the directory that is not durable yet: the file gets the name `to`, and loses
// whatever name it has; with no `to` it only loses it.
type change struct {
	file     *inode
	from, to string
}

// NewMemory returns an empty disk.
func NewMemory() *Memory {
	return &Memory{names: map[string]*inode{}, durable: map[string]*inode{}}
}

// Open locks the disk's directory for a new process and returns it. ErrLocked while the last one is neither
// closed nor crashed; ErrPowerCut after a power cut that Crash has not ended yet.
func (m *Memory) Open() (Dir, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, ErrPowerCut
	}
	if m.locked {
		return nil, ErrLocked
	}
	m.locked = true
	m.session++
	return &memoryDir{m: m, session: m.session}, nil
}

// memoryDir is the directory in the hands of one process.
type memoryDir struct {
	m       *Memory
	session int
	closed  bool
}

// enter locks the disk and counts an operation; the caller unlocks it. An error means that the operation
// must fail with it.
func (d *memoryDir) enter(op Operation, name string) error {
	d.m.mu.Lock()
	if d.closed {
		return fs.ErrClosed
	}
	return d.m.call(d.session, op, name)
}

// goesOn reports whether an operation that meets err has an effect all the same: one that the power cut
// interrupts may have had it.
func goesOn(err error) bool { return err == nil || errors.Is(err, errInterrupted) }

func (d *memoryDir) Create(name string, size int64) (File, error) {
	err := d.enter(OpCreate, name)
	defer d.m.mu.Unlock()
	if !goesOn(err) {
		return nil, err
	}
	if d.m.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	f := &inode{size: size, unsynced: map[int64]before{}}
	d.m.change(change{file: f, to: name})
	return d.handle(f, name, err)
}

func (d *memoryDir) Open(name string) (File, error) {
	err := d.enter(OpOpen, name)
	defer d.m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	f := d.m.names[name]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return d.handle(f, name, nil)
}

func (d *memoryDir) handle(f *inode, name string, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return &memoryFile{m: d.m, session: d.session, name: name, inode: f}, nil
}

func (d *memoryDir) List() ([]string, error) {
	err := d.enter(OpList, "")
	defer d.m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(d.m.names)), nil
}

func (d *memoryDir) Rename(from, to string) error {
	err := d.enter(OpRename, from)
	defer d.m.mu.Unlock()
	if !goesOn(err) {
		return err
	}
	f := d.m.names[from]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	d.m.change(change{file: f, from: from, to: to})
	return err
}

func (d *memoryDir) Remove(name string) error {
	err := d.enter(OpRemove, name)
	defer d.m.mu.Unlock()
	if !goesOn(err) {
		return err
	}
	f := d.m.names[name]
	if f == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	d.m.change(change{file: f, from: name})
	return err
}

func (d *memoryDir) Sync() error {
	err := d.enter(OpSyncDir, "")
	defer d.m.mu.Unlock()
	if err != nil {
		return err
	}
	for _, c := range d.m.changes {
		c.apply(d.m.durable)
	}
	d.m.changes = d.m.changes[:0]
	return nil
}

func (d *memoryDir) Close() error {
	d.m.mu.Lock()
	defer d.m.mu.Unlock()
	if d.closed {
		return fs.ErrClosed
	}
	d.closed = true
	if d.session == d.m.session {
		d.m.locked = false
	}
	return nil
}

// change changes the directory as processes see it.
func (m *Memory) change(c change) {
	c.apply(m.names)
	m.changes = append(m.changes, c)
}

// apply changes a directory. A file never has two names, also when changes before this one were lost.
func (c change) apply(names map[string]*inode) {
	for name, f := range names { // at most one matches: the order does not matter
		if f == c.file {
			delete(names, name)
		}
	}
	if c.to != "" {
		names[c.to] = c.file
	}
}

// String says what a change does, for Pending.
func (c change) String() string {
	switch {
	case c.from == "":
		return "create " + c.to
	case c.to == "":
		return "remove " + c.from
	}
	return fmt.Sprintf("rename %s to %s", c.from, c.to)
}
