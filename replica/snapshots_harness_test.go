package replica

import (
	"bytes"
	"encoding/gob"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"

	"balsa/raft"
)

// modelSnapshots is a Snapshots that does what the contract says and nothing else.
type modelSnapshots struct {
	kept     []modelFile // the newest first
	arriving raft.InstallSnapshot
	fail     error // what the next Save, Store or Restore answers
}

type modelFile struct {
	raft.Snapshot
	bytes []byte
}

var errFull = errors.New("no space left")

func (s *modelSnapshots) Save(snapshot raft.Snapshot, image io.WriterTo) (raft.Snapshot, error) {
	var state, file bytes.Buffer
	if _, err := image.WriteTo(&state); err != nil {
		return snapshot, err
	}
	if err := s.takeFailure(); err != nil {
		return snapshot, err
	}
	if err := gob.NewEncoder(&file).Encode(modelContent{snapshot, state.Bytes()}); err != nil {
		return snapshot, err
	}
	return s.take(file.Bytes())
}

// modelContent is what a file holds.
type modelContent struct {
	Snapshot raft.Snapshot
	State    []byte
}

func (s *modelSnapshots) take(file []byte) (raft.Snapshot, error) {
	var content modelContent
	if err := gob.NewDecoder(bytes.NewReader(file)).Decode(&content); err != nil {
		return raft.Snapshot{}, err
	}
	snapshot := content.Snapshot
	snapshot.Size = uint64(len(file))
	if len(s.kept) > 0 && s.kept[0].Last.Index >= snapshot.Last.Index {
		return snapshot, errStale
	}
	s.kept = slices.Insert(s.kept, 0, modelFile{snapshot, file})
	s.kept = s.kept[:min(len(s.kept), 2)]
	return snapshot, nil
}

var errStale = errors.New("a newer snapshot is there")

// passing is what a driver says of the errors of Save.
func passing(err error) bool { return errors.Is(err, errFull) || errors.Is(err, errStale) }

func (s *modelSnapshots) takeFailure() error {
	err := s.fail
	s.fail = nil
	return err
}

func (s *modelSnapshots) find(last raft.EntryID) (modelFile, error) {
	at := slices.IndexFunc(s.kept, func(f modelFile) bool { return f.Last == last })
	if at < 0 {
		return modelFile{}, errors.New("no such snapshot")
	}
	return s.kept[at], nil
}

func (s *modelSnapshots) Chunk(last raft.EntryID, offset uint64, buffer []byte) (int, error) {
	f, err := s.find(last)
	if err != nil {
		return 0, err
	}
	return copy(buffer, f.bytes[offset:]), nil
}

func (s *modelSnapshots) Store(m raft.InstallSnapshot) (uint64, *raft.Snapshot, error) {
	if err := s.takeFailure(); err != nil {
		return 0, nil, err
	}
	if f, err := s.find(m.Last); err == nil {
		return m.Size, &f.Snapshot, nil
	}
	a := &s.arriving
	if a.Last != m.Last || a.Size != m.Size {
		*a = raft.InstallSnapshot{Last: m.Last, Size: m.Size}
	}
	sum := crc32.Checksum(m.Data, crc32.MakeTable(crc32.Castagnoli))
	if m.Offset == uint64(len(a.Data)) && m.Checksum == sum {
		a.Data = append(a.Data, m.Data...)
	}
	if uint64(len(a.Data)) < a.Size {
		return uint64(len(a.Data)), nil, nil
	}
	done, err := s.take(a.Data)
	if err != nil {
		return 0, nil, nil // stale, or rubbish: it begins anew
	}
	*a = raft.InstallSnapshot{}
	return done.Size, &done, nil
}

func (s *modelSnapshots) Restore(last raft.EntryID, into func(io.Reader) error) error {
	if err := s.takeFailure(); err != nil {
		return err
	}
	f, err := s.find(last)
	if err != nil {
		return err
	}
	var content modelContent
	if err := gob.NewDecoder(bytes.NewReader(f.bytes)).Decode(&content); err != nil {
		return err
	}
	return into(bytes.NewReader(content.State))
}

func (s *modelSnapshots) List() (list []raft.Snapshot) {
	for _, f := range s.kept {
		list = append(list, f.Snapshot)
	}
	return list
}

// keep has a bench take snapshots, with limits that a few entries reach.
func keep(c *Config) {
	c.Snapshots, c.Passing = true, passing
	c.Core.Limits.SnapshotBytes, c.Core.Limits.TrailingBytes, c.Core.Limits.ChunkBytes = 150, -1, 40
}

// holdKept is hold with snapshots.
func holdKept(t *testing.T, n int, log *modelLog, s *modelSnapshots, change ...func(*Config)) *bench {
	t.Helper()
	return holdFrom(t, n, log, s, append([]func(*Config){keep}, change...)...)
}

// others is the work that has to do with snapshots, in flight at a bench.
type others struct {
	disk       *modelSnapshots
	captures   []Capture
	restores   []Restore
	saves      []Save
	chunkReads []ReadChunk
	stores     []StoreChunk
}

func (o *others) collect(w Work) {
	switch w := w.(type) {
	case Capture:
		o.captures = append(o.captures, w)
	case Restore:
		o.restores = append(o.restores, w)
	case Save:
		o.saves = append(o.saves, w)
	case ReadChunk:
		o.chunkReads = append(o.chunkReads, w)
	case StoreChunk:
		o.stores = append(o.stores, w)
	}
}

func (o *others) count() int {
	return len(o.captures) + len(o.restores) + len(o.saves) + len(o.chunkReads) + len(o.stores)
}

func (b *bench) capture() {
	b.t.Helper()
	w := take(b.t, &b.captures)
	b.do(w.Perform(b.front))
}

func (b *bench) restore() {
	b.t.Helper()
	w := take(b.t, &b.restores)
	b.do(w.Perform(b.front, b.disk))
}

func (b *bench) save() {
	b.t.Helper()
	w := take(b.t, &b.saves)
	b.do(w.Perform(b.disk))
}

func (b *bench) readChunk() {
	b.t.Helper()
	w := take(b.t, &b.chunkReads)
	b.do(w.Perform(b.disk))
}

func (b *bench) storeChunk() {
	b.t.Helper()
	w := take(b.t, &b.stores)
	b.do(w.Perform(b.disk))
}

func take[W any](t *testing.T, list *[]W) W {
	t.Helper()
	if len(*list) != 1 {
		t.Fatalf("%d of %T in flight, want one", len(*list), *list)
	}
	w := (*list)[0]
	*list = nil
	return w
}

// settleOthers performs what has to do with snapshots.
func (b *bench) settleOthers() {
	b.t.Helper()
	for _, perform := range []struct {
		waits int
		do    func()
	}{
		{len(b.captures), b.capture}, {len(b.restores), b.restore}, {len(b.saves), b.save},
		{len(b.chunkReads), b.readChunk}, {len(b.stores), b.storeChunk},
	} {
		if perform.waits > 0 {
			perform.do()
			return
		}
	}
}

// Snapshot holds all that was applied.
func (m *recorder) Snapshot() (io.WriterTo, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(m.applied)
	return blob(b.Bytes()), err
}

// Restore takes it back.
func (m *recorder) Restore(r io.Reader) error {
	var applied []raft.Entry
	if err := gob.NewDecoder(r).Decode(&applied); err != nil {
		return err
	}
	m.applied = applied
	return nil
}
