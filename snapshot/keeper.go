package snapshot

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sync"

	"balsa/disk"
	"balsa/raft"
	"balsa/wire"
)

// sectionName is the one section of a snapshot that a Keeper has written: the image of the machine and of
// what stands in front of it.
const sectionName = "state"

// Keeper is a Store as a replica uses it: it speaks of raft's snapshots, prunes by itself, and keeps open
// what will be asked for again. Its methods may be called concurrently, each of them not with itself; List
// may be called at any time.
type Keeper struct {
	store *Store

	reading sync.Mutex
	readers []*Reader // of snapshots that are sent, at most one of each

	receiver *Receiver // of the snapshot that arrives; nil for none
	refusal  error     // why the last one that arrived was not taken
	resting  int       // messages that are still to be answered without taking anything

	skipped int // snapshots in a row that were not begun, see expected
}

// NewKeeper returns the keeper of a store, which nobody else may then write to.
func NewKeeper(s *Store) *Keeper { return &Keeper{store: s} }

// Passing reports whether an error of Save costs that snapshot and nothing else: the disk was full, or a
// newer one has come meanwhile. Save may be called again later. After any other error the node must stop.
func Passing(err error) bool {
	return !errors.Is(err, ErrFailed) && (errors.Is(err, disk.ErrNoSpace) || errors.Is(err, ErrStale))
}

// Save writes a snapshot and returns it with its Size. When it returns nil the snapshot is durable, and all
// but the newest two are gone (if the disk is too full even for that, the next Save or Store tries again).
// After an error it is there or not, and nothing else has changed; see Passing. ErrInvalid if there can be no
// such snapshot.
func (k *Keeper) Save(s raft.Snapshot, image io.WriterTo) (raft.Snapshot, error) {
	m, err := metaOf(s)
	if err != nil {
		return s, fmt.Errorf("snapshot: %w", err)
	}
	if err := k.expected(); err != nil {
		return s, err
	}
	w, err := k.store.Create(m)
	if err != nil {
		return s, err
	}
	defer w.Abort() // if anything of the below fails, or panics; else it does nothing
	if err := w.Section(sectionName); err != nil {
		return s, err
	}
	if _, err := image.WriteTo(w); err != nil {
		return s, fmt.Errorf("snapshot: write %v: %w", s.Last, err)
	}
	info, err := w.Commit()
	if err != nil {
		return s, err
	}
	s.Size = uint64(info.Size)
	return s, k.prune()
}

// prune lets go of all snapshots but the newest two, as far as a full disk lets it: some file systems need
// room to remove a file. That is no error, for the newest snapshot is durable, and who hears that it is not
// takes another one.
func (k *Keeper) prune() error {
	if err := k.pruneAll(); !Passing(err) {
		return err
	}
	return nil
}

// pruneAll lets go of all snapshots but the newest two. One that is being sent goes too: a follower that
// wants it gets a newer one. Only one that is being restored stays until the next time.
func (k *Keeper) pruneAll() error {
	k.reading.Lock()
	defer k.reading.Unlock()
	list := k.store.List()
	k.readers = slices.DeleteFunc(k.readers, func(r *Reader) bool {
		at := slices.IndexFunc(list, func(i Info) bool { return i.Last == r.info.Last })
		gone := at < 0 || at >= kept
		if gone {
			_ = r.Close() // it was only read from
		}
		return gone
	})
	for range list {
		if more, err := k.store.Prune(); err != nil || !more {
			return err
		}
	}
	return nil
}

// Chunk reads the file of a snapshot as it is sent to another server, from an offset on, and returns how
// many bytes there were: fewer than buffer holds at the end of the file. ErrMissing if it is not one of the
// newest two, ErrInvalid if the file ends before the offset, ErrCorrupt if it has rotted, or what the disk
// said; none of them ends anything.
func (k *Keeper) Chunk(last raft.EntryID, offset uint64, buffer []byte) (n int, err error) {
	k.reading.Lock()
	defer k.reading.Unlock()
	r, err := k.reader(last)
	if err != nil {
		return 0, err
	}
	if offset >= uint64(r.info.Size) {
		return 0, fmt.Errorf("snapshot: %w: byte %d of %d of %v", ErrInvalid, offset, r.info.Size, last)
	}
	n, err = r.ReadAt(buffer, int64(offset))
	if err != nil && !errors.Is(err, io.EOF) {
		k.readers = slices.DeleteFunc(k.readers, func(other *Reader) bool { return other == r })
		return 0, errors.Join(err, r.Close()) // the next call begins anew
	}
	return n, nil
}

// reader returns the open reader of a snapshot.
func (k *Keeper) reader(last raft.EntryID) (*Reader, error) {
	for _, r := range k.readers {
		if r.info.Last == last {
			return r, nil
		}
	}
	list := k.store.List()
	at := slices.IndexFunc(list, func(i Info) bool { return i.Last == last })
	if at < 0 || at >= kept {
		return nil, fmt.Errorf("snapshot: %v: %w", last, ErrMissing)
	}
	r, err := k.store.Read(last)
	if err != nil {
		return nil, err
	}
	k.readers = append(k.readers, r)
	return r, nil
}

// Restore has a snapshot read from its beginning to its end; each chunk is verified before a byte of it is
// handed out. ErrMissing if it is not kept, ErrCorrupt if it has rotted, the error of into, or what the disk
// said.
func (k *Keeper) Restore(last raft.EntryID, into func(io.Reader) error) (err error) {
	r, err := k.store.Read(last)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if _, err := describe(r.info); err != nil {
		return err
	}
	image, err := r.Section(0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	if err := into(image); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, image); err != nil { // only at the end does a codec check its own sum
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// List returns the snapshots that are kept, the newest first: those that were found at the start, of which
// the first was verified, and those made or received since.
func (k *Keeper) List() (list []raft.Snapshot) {
	for _, info := range k.store.List() {
		if s, err := describe(info); err == nil {
			list = append(list, s)
		}
	}
	return list
}

// describe reads what a snapshot is, as raft knows it. ErrMismatch if no Keeper can have written it.
func describe(info Info) (raft.Snapshot, error) {
	s := raft.Snapshot{Last: info.Last, Time: info.Time, MembersIndex: info.ConfigurationIndex,
		Size: uint64(info.Size)}
	var rest []byte
	var err error
	if s.Members, rest, err = wire.DecodeConfiguration(info.Configuration); err != nil {
		return s, fmt.Errorf("snapshot: %v: %w: its configuration: %w", info.Last, ErrMismatch, err)
	}
	if err := s.Validate(); err != nil || len(rest) > 0 {
		return s, fmt.Errorf("snapshot: %v: %w: %d bytes behind its configuration, %w",
			info.Last, ErrMismatch, len(rest), err)
	}
	if len(info.Sections) != 1 || info.Sections[0].Name != sectionName {
		return s, fmt.Errorf("snapshot: %v: %w: it has sections that this program does not know",
			info.Last, ErrMismatch)
	}
	return s, nil
}

// Close lets go of what is open. What has arrived of a snapshot stays.
func (k *Keeper) Close() error {
	k.reading.Lock()
	defer k.reading.Unlock()
	var err error
	for _, r := range k.readers {
		err = errors.Join(err, r.Close())
	}
	k.readers = nil
	return errors.Join(err, k.endReceiving())
}

// checksum is the one that a message carries of its data.
func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }
