package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// ErrPowerCut is what a function given to Memory.Intercept returns to cut the power in the middle of an
// operation, and what every operation fails with from then until Memory.Crash.
var ErrPowerCut = errors.New("the power is cut")

// errInterrupted marks the one operation in the middle of which the power went.
var errInterrupted = fmt.Errorf("%w in the middle of an operation", ErrPowerCut)

// Operation is one of the operations that Intercept sees.
type Operation uint8

// The operations.
const (
	OpCreate Operation = iota + 1
	OpOpen
	OpList
	OpRename
	OpRemove
	OpSyncDir
	OpRead
	OpWrite
	OpSync
)

// String names the operation.
func (o Operation) String() string {
	names := [...]string{"", "create", "open", "list", "rename", "remove", "sync directory",
		"read", "write", "sync"}
	if int(o) >= len(names) {
		return fmt.Sprintf("operation %d", o)
	}
	return names[o]
}

// Call is one operation on its way to a Memory.
type Call struct {
	Number    int // counted from 1 since the disk was made
	Operation Operation
	Name      string // of the file; a rename's old name; empty for the directory
}

// Intercept has f see every operation before it is done; nil ends that. What f returns the operation fails
// with: an error other than ErrPowerCut leaves names and reads undone, a write half done, and a sync failed
// for good (see the package comment). ErrPowerCut cuts the power in the middle of it. f runs under the
// disk's lock and must not call it.
func (m *Memory) Intercept(f func(Call) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.intercept = f
}

// call counts an operation and asks Intercept about it.
func (m *Memory) call(session int, op Operation, name string) error {
	if m.dead {
		return ErrPowerCut
	}
	if session != m.session {
		return fs.ErrClosed
	}
	m.calls++
	if m.intercept == nil {
		return nil
	}
	err := m.intercept(Call{Number: m.calls, Operation: op, Name: name})
	if errors.Is(err, ErrPowerCut) {
		m.dead = true
		return errInterrupted
	}
	return err
}

// Calls returns how many operations there were since the disk was made.
func (m *Memory) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// Limit sets how many bytes the files may take, counted in pages of 4096 that hold anything; 0 is no limit.
// A write that would take more does what fits and fails with ErrNoSpace.
func (m *Memory) Limit(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = bytes
}

// Used returns how many bytes the files take, as Limit counts them.
func (m *Memory) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used()
}

func (m *Memory) used() (bytes int64) {
	for _, f := range m.names {
		bytes += f.space()
	}
	return bytes
}

// room returns how many of n bytes at off of a file can be written before the disk is full.
func (m *Memory) room(f *inode, n int, off int64) int {
	if m.limit == 0 {
		return n
	}
	return f.fits(n, off, m.limit-m.used())
}

// Pending is something that is not durable: a sector of a file, or (Change not empty) the change of a name
// or a length.
type Pending struct {
	Name   string // of the file, as the power cut leaves it; empty for the change of a name
	Sector int64  // its number
	Change string // "create a", "rename a to b", "remove a", "size 0 to 512"
}

// Keep is asked, for each thing that is pending at a power cut, whether the disk has it all the same. The
// order is fixed: names as they were changed; then file by file in the order of their names, sectors
// upwards, the length last. Only what the durable directory still names is asked for.
type Keep func(Pending) bool

// KeepAll keeps everything, KeepNone nothing.
func KeepAll(Pending) bool { return true }

// KeepNone keeps nothing that was not synced.
func KeepNone(Pending) bool { return false }

// KeepBits answers the i-th question with bit i of mask, and from the 64th on anew with bit 0. Counting
// mask up to 2ⁿ enumerates all subsets of n pending things.
func KeepBits(mask uint64) Keep {
	i := -1
	return func(Pending) bool {
		i = (i + 1) % 64
		return mask>>i&1 == 1
	}
}

// KeepRandom answers by chance, the same way for the same seed (SplitMix64).
func KeepRandom(seed uint64) Keep {
	return func(Pending) bool {
		seed += 0x9e3779b97f4a7c15
		z := seed
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return (z^z>>31)&1 == 1
	}
}

// Crash ends a power cut, or is one between two operations: what keep does not keep of the unsynced is
// gone, every open Dir and File is dead, the lock is free, and the disk works again.
func (m *Memory) Crash(keep Keep) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.changes {
		if keep(Pending{Change: c.String()}) {
			c.apply(m.durable)
		}
	}
	m.changes = nil
	for _, name := range slices.Sorted(maps.Keys(m.durable)) {
		m.durable[name].cut(name, keep)
	}
	m.names = maps.Clone(m.durable)
	m.end()
}

// Kill ends the process and leaves the machine up, as SIGKILL does: every open Dir and File is dead and the
// lock is free, but what was written stays readable and is as unsynced as before.
func (m *Memory) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end()
}

func (m *Memory) end() {
	m.session++
	m.locked, m.dead = false, false
}

// Unsynced returns how many things Crash would ask about if all of them were kept.
func (m *Memory) Unsynced() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.changes)
	for _, f := range m.names {
		n += len(f.unsynced)
		if f.size != f.synced {
			n++
		}
	}
	return n
}

// Clone returns a copy of the disk that shares nothing with it, without open Dirs, Intercept and a power cut.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMemory()
	c.limit, c.calls = m.limit, m.calls
	copies := map[*inode]*inode{}
	copied := func(f *inode) *inode {
		if copies[f] == nil {
			copies[f] = f.clone()
		}
		return copies[f]
	}
	for name, f := range m.names {
		c.names[name] = copied(f)
	}
	for name, f := range m.durable {
		c.durable[name] = copied(f)
	}
	for _, ch := range m.changes {
		ch.file = copied(ch.file)
		c.changes = append(c.changes, ch)
	}
	return c
}

// Names returns the names of the files, sorted.
func (m *Memory) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.names))
}

// Read returns a file's content as processes see it; nil if there is no such file.
func (m *Memory) Read(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.names[name]
	if f == nil {
		return nil
	}
	content := make([]byte, f.size)
	f.read(content, 0)
	return content
}

// Plant puts a file on the disk, durably, in place of one that has the name. Zeros take no space.
func (m *Memory) Plant(name string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &inode{size: int64(len(content)), synced: int64(len(content)), unsynced: map[int64]before{}}
	for at := 0; at < len(content); at += pageSize {
		page := content[at:min(at+pageSize, len(content))]
		if len(bytes.Trim(page, "\x00")) > 0 {
			f.poke(page, int64(at))
		}
	}
	m.names[name], m.durable[name] = f, f
}

// Delete takes a file from the disk, durably.
func (m *Memory) Delete(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.names, name)
	delete(m.durable, name)
}

// Flip inverts one bit of a file at rest; bit 8 is the lowest of the second byte. It panics if there is no
// such bit.
func (m *Memory) Flip(name string, bit int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.names[name]
	if f == nil || bit/8 >= f.size {
		panic(fmt.Sprintf("disk: no bit %d in file %q", bit, name))
	}
	f.makePage(bit / 8)[bit/8%pageSize] ^= 1 << (bit % 8)
}

// Zero overwrites bytes [from, to) of a file at rest with zeros. It panics if there is no such file.
func (m *Memory) Zero(name string, from, to int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.names[name]
	if f == nil {
		panic(fmt.Sprintf("disk: no file %q", name))
	}
	for at := from; at < min(to, f.size); at++ {
		if page := f.page(at); page != nil {
			page[at%pageSize] = 0
		}
	}
}
