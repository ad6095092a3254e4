package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"balsa/disk"
	"balsa/raft"
)

// kept is how many snapshots stay. The older serves when the newer turns out to be damaged, as long as the
// log reaches back to it.
const kept = 2

// Options says what the caller expects of a directory, and how snapshots are to be written.
type Options struct {
	Cluster raft.ClusterID // to which every snapshot belongs; never zero
	// Codecs are those that snapshots may be written with. The first one writes; with none, sections are
	// written as they are, and ones that were so written can always be read.
	Codecs []Codec
	// ChunkBytes is how much data gets a checksum of its own, and how much memory a Writer, Reader or
	// Receiver needs: MinChunkBytes to MaxChunkBytes; 0 means DefaultChunkBytes. It may differ from start
	// to start.
	ChunkBytes int
	// Reserve is how many bytes of the disk a snapshot leaves free, for the log that is written beside it; 0
	// lets it take all. Each one in a row that is refused for it leaves half as much, down to a quarter; one
	// that finds room ends that. It needs a disk that knows what is free (disk.Free).
	Reserve int64
	// LogWhole says that the log reaches back to its beginning, so that it serves though no snapshot is good.
	LogWhole bool
}

func (o Options) check() error {
	if o.Cluster == (raft.ClusterID{}) {
		return fmt.Errorf("%w: no cluster id was given", ErrInvalid)
	}
	if o.ChunkBytes < MinChunkBytes || o.ChunkBytes > MaxChunkBytes {
		return fmt.Errorf("%w: chunks of %d bytes: %d to %d are possible",
			ErrInvalid, o.ChunkBytes, MinChunkBytes, MaxChunkBytes)
	}
	if o.Reserve < 0 || o.Reserve > maxFile {
		return fmt.Errorf("%w: a reserve of %d bytes", ErrInvalid, o.Reserve)
	}
	for _, c := range o.Codecs {
		if n := c.Name(); n == "" || len(n) > MaxName || n == (identity{}).Name() {
			return fmt.Errorf("%w: a codec named %q", ErrInvalid, n)
		}
	}
	return nil
}

// Store is the snapshots of one directory. Its methods may be called concurrently. They wait for nothing
// but the disk; Latest and List do not even do that.
type Store struct {
	dir     disk.Dir
	options Options

	names sync.Mutex // held while a name changes, so that two commits do not overtake each other

	ours   reserve // used by the one Writer
	theirs reserve // used by the one Receiver

	mu        sync.Mutex
	snapshots []held // the newest first
	writing   bool
	receiving bool
	failed    error // of a sync: final
}

// held is a snapshot with the number of Readers that have it open.
type held struct {
	info    Info
	readers int
}

// Open verifies the newest snapshot of a directory, removes what crashes have left, and makes the names
// durable. The one before it is read wholly only if the newest is broken, or if there are more than two; else
// Open is content with its header and trailer. It writes nothing before that. The directory must stay open as
// long as the store is used; files that are not the store's are left alone.
//
// A broken snapshot is no error as long as another one is good, or Options.LogWhole is set: the caller finds
// it in Found, must tell a person, and must check that the log holds what the broken one includes, back to
// the one that is left. Errors: ErrCorrupt, ErrVersion, ErrForeign, ErrCodec, ErrInvalid, or what the disk
// said. After any of them nothing that was acknowledged is lost and Open may be called again.
func Open(dir disk.Dir, o Options) (*Store, Found, error) {
	if o.ChunkBytes == 0 {
		o.ChunkBytes = DefaultChunkBytes
	}
	whole := reserve{o.Reserve, o.Reserve}
	s := &Store{dir: dir, options: o, ours: whole, theirs: whole}
	found, err := s.open()
	if err != nil {
		return nil, found, fmt.Errorf("snapshot: %w", err)
	}
	return s, found, nil
}

func (s *Store) open() (Found, error) {
	if err := s.options.check(); err != nil {
		return Found{}, err
	}
	found, err := scan(s.dir, s.accept, s.options.LogWhole, enough)
	if err != nil {
		return found, err
	}
	for _, info := range found.Snapshots {
		s.snapshots = append(s.snapshots, held{info: info})
	}
	// What is older than the newest snapshot will never be asked for again.
	found.Partial = slices.DeleteFunc(found.Partial, func(name string) bool {
		id, _, _ := parsePartialName(name)
		late := s.stale(id)
		if late {
			found.Strays = append(found.Strays, name)
		}
		return late
	})
	for _, name := range found.Strays {
		if err := s.dir.Remove(name); err != nil {
			return found, fmt.Errorf("remove %s: %w", name, err)
		}
	}
	if err := s.dir.Sync(); err != nil {
		return found, fmt.Errorf("sync directory: %w", err)
	}
	return found, nil
}

// accept judges the header of a snapshot, here or on its way to us.
func (s *Store) accept(i Info) error {
	if i.Cluster != s.options.Cluster {
		return fmt.Errorf("it is of cluster %v, this is %v: %w", i.Cluster, s.options.Cluster, ErrForeign)
	}
	if s.codec(i.Codec) == nil {
		return fmt.Errorf("codec %q: %w", i.Codec, ErrCodec)
	}
	return nil
}

func (s *Store) codec(name string) Codec {
	if name == (identity{}).Name() {
		return identity{}
	}
	for _, c := range s.options.Codecs {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// Latest returns the newest snapshot, and whether there is one.
func (s *Store) Latest() (Info, bool) {
	list := s.List()
	if len(list) == 0 {
		return Info{}, false
	}
	return list[0], true
}

// List returns all snapshots, the newest first. The log must reach back to the second: if that is missing,
// to the first, and to its beginning if there is none.
func (s *Store) List() (list []Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.snapshots {
		list = append(list, h.info)
	}
	return list
}

// Prune removes the oldest snapshot if it is neither one of the newest two nor open in a Reader, and
// reports whether it did: one file per call. It never touches a broken one. After an error of the removal
// itself it may be called again.
func (s *Store) Prune() (bool, error) {
	s.names.Lock()
	defer s.names.Unlock()
	oldest, err := s.superseded()
	if err != nil || oldest.Last.Index == 0 {
		return false, err
	}
	name := fileName(oldest.Last)
	if err := s.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.insert(oldest)
		return false, fmt.Errorf("snapshot: remove %s: %w", name, err)
	}
	if err := s.dir.Sync(); err != nil {
		return false, s.fail(fmt.Errorf("snapshot: sync directory: %w", err))
	}
	return true, nil
}

// superseded takes the oldest snapshot that may go off the list, so that no Reader finds it any more.
func (s *Store) superseded() (Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.snapshots) - 1
	if s.failed != nil || last < kept || s.snapshots[last].readers > 0 {
		return Info{}, s.failed
	}
	oldest := s.snapshots[last].info
	s.snapshots = s.snapshots[:last]
	return oldest, nil
}

// publish gives a file that is complete its final name. When it returns nil the snapshot is durable and
// kept.
func (s *Store) publish(f disk.File, from string, info Info) error {
	s.names.Lock()
	defer s.names.Unlock()
	if err := s.usable(info.Last); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return s.fail(errors.Join(fmt.Errorf("sync %s: %w", from, err), f.Close()))
	}
	if err := f.Close(); err != nil {
		return s.fail(fmt.Errorf("close %s: %w", from, err))
	}
	if err := s.dir.Rename(from, fileName(info.Last)); err != nil {
		return s.fail(fmt.Errorf("rename %s: %w", from, err))
	}
	if err := s.dir.Sync(); err != nil {
		return s.fail(fmt.Errorf("sync directory: %w", err))
	}
	s.insert(info)
	return nil
}

// usable reports why no snapshot of that entry can be taken in.
func (s *Store) usable(id raft.EntryID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if s.stale(id) {
		return fmt.Errorf("%v after %v: %w", id, s.snapshots[0].info.Last, ErrStale)
	}
	if len(s.snapshots) > 0 && id.Term < s.snapshots[0].info.Last.Term {
		return fmt.Errorf("%w: %v after %v: the term goes back", ErrInvalid, id, s.snapshots[0].info.Last)
	}
	return nil
}

func (s *Store) stale(id raft.EntryID) bool {
	return len(s.snapshots) > 0 && id.Index <= s.snapshots[0].info.Last.Index
}

// insert puts a snapshot where it belongs: in front, or, if it could not be removed, at the end.
func (s *Store) insert(info Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.snapshots) > 0 && info.Last.Index < s.snapshots[0].info.Last.Index {
		s.snapshots = append(s.snapshots, held{info: info})
		return
	}
	s.snapshots = slices.Insert(s.snapshots, 0, held{info: info})
}

// fail keeps the first error of a sync. Nothing is changed on the disk after it.
func (s *Store) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	return s.failed
}

// claim takes one of the two places for work in progress; release gives it back.
func (s *Store) claim(place *bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if *place {
		return ErrBusy
	}
	*place = true
	return nil
}

func (s *Store) release(place *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*place = false
}

// remake creates an empty file in place of whatever had the name.
func (s *Store) remake(name string) (disk.File, error) {
	if err := s.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove %s: %w", name, err)
	}
	f, err := s.dir.Create(name, 0)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	return f, nil
}
