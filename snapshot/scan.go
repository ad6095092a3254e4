package snapshot

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"balsa/disk"
	"balsa/raft"
)

// Found is what a directory holds.
type Found struct {
	Snapshots []Info   // that are good, the newest first
	Broken    []Broken // the oldest first
	Strays    []string // what crashes have left: Open removes these
	Partial   []string // what can be resumed with Store.Receive
}

// Broken is a snapshot that does not verify or cannot be read. It was left as it is.
type Broken struct {
	Name string
	Last raft.EntryID // the last entry that it includes, by its name
	Err  error        // ErrCorrupt, or what the disk said
}

// Inspect reads and verifies everything, as Open does, and writes nothing. Snapshots of any cluster and any
// codec are good. Errors: ErrCorrupt if snapshots are there and none is good, or if they contradict each
// other; ErrVersion; or what the disk said. Found is filled in as far as possible also with an error.
func Inspect(dir disk.Dir) (Found, error) {
	found, err := scan(dir, func(Info) error { return nil }, false, wholly)
	if err != nil {
		return found, fmt.Errorf("snapshot: %w", err)
	}
	return found, nil
}

// How much of the snapshots a scan reads.
type extent bool

const (
	wholly extent = true  // all of all
	enough extent = false // see verified
)

// verified is how many snapshots must have been found good from end to end before the older ones are only
// looked at. One serves. But when there is one too many, which a crash has kept from being pruned, the two
// that stay are both verified: the one that goes may be the only other good one.
func (e extent) verified(names []string) int {
	files := 0
	for _, name := range names {
		if _, ok := parseFileName(name); ok {
			files++
		}
	}
	switch {
	case e == wholly:
		return files
	case files > kept:
		return kept
	}
	return 1
}

func scan(dir disk.Dir, want func(Info) error, noneWillDo bool, e extent) (found Found, err error) {
	names, err := dir.List()
	if err != nil {
		return found, err
	}
	needed := e.verified(names)
	for _, name := range slices.Backward(names) { // the newest first
		if _, _, partial := parsePartialName(name); partial {
			found.Partial = append(found.Partial, name)
		}
		if name == writingName {
			found.Strays = append(found.Strays, name)
		}
		id, ok := parseFileName(name)
		if !ok {
			continue
		}
		read := verifyFile
		if len(found.Snapshots) >= needed {
			read = readEnds
		}
		info, err := read(dir, name, id, want)
		switch {
		case errors.Is(err, ErrVersion), errors.Is(err, ErrForeign), errors.Is(err, ErrCodec):
			return found, err // a good file, and not for us
		case err != nil:
			found.Broken = slices.Insert(found.Broken, 0, Broken{name, id, err})
		default:
			found.Snapshots = append(found.Snapshots, info)
		}
	}
	return found, found.judge(noneWillDo)
}

// judge says whether what was found makes sense.
func (f *Found) judge(noneWillDo bool) error {
	if len(f.Snapshots) == 0 && len(f.Broken) > 0 && !noneWillDo {
		return fmt.Errorf("no snapshot is good: %w", worst(f.Broken))
	}
	for i := 1; i < len(f.Snapshots); i++ {
		newer, older := f.Snapshots[i-1].Last, f.Snapshots[i].Last
		if newer.Index == older.Index || newer.Term < older.Term {
			return damage(fileName(older), 0, "it contradicts %s, and both are good", fileName(newer))
		}
	}
	return nil
}

// worst chooses why there is no snapshot: a file that could not be read may yet be good, so damage is the
// last word.
func worst(broken []Broken) error {
	for _, b := range broken {
		if !errors.Is(b.Err, ErrCorrupt) {
			return b.Err
		}
	}
	return broken[len(broken)-1].Err
}

// newVerifier returns one of a file whose name says of which entry it is.
func newVerifier(name string, size int64, id raft.EntryID, want func(Info) error) *verifier {
	return &verifier{name: name, size: size, want: func(i Info) error {
		if i.Last != id {
			return damage(name, 32, "it is the snapshot of %v, under a wrong name", i.Last)
		}
		return want(i)
	}}
}

// openFile opens a file to be read, and returns its size.
func openFile(dir disk.Dir, name string) (f disk.File, size int64, err error) {
	if f, err = dir.Open(name); err != nil {
		return nil, 0, fmt.Errorf("open %s: %w", name, err)
	}
	if size, err = f.Size(); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("read %s: %w", name, err), f.Close())
	}
	return f, size, nil
}

// verifyFile reads a whole file, in pieces of a bounded size.
func verifyFile(dir disk.Dir, name string, id raft.EntryID, want func(Info) error) (info Info, err error) {
	f, size, err := openFile(dir, name)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	v := newVerifier(name, size, id, want)
	const most = 64 << 10
	buffer := make([]byte, min(most, size))
	for at := int64(0); at < size; {
		part := buffer[:min(int64(len(buffer)), size-at)]
		if n, err := f.ReadAt(part, at); n < len(part) {
			err = errors.Join(err, io.ErrUnexpectedEOF)
			return info, fmt.Errorf("read %s at byte %d: %w", name, at+int64(n), err)
		}
		if err := v.feed(part); err != nil {
			return info, err
		}
		at += int64(len(part))
	}
	if !v.done {
		return info, damage(name, size, "the end of the file is missing")
	}
	return v.info, nil
}
