package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"balsa/disk"
	"balsa/raft"
)

// A damaged log is set aside, and one that says so takes its place. Nothing of the old one is used again but
// what its good batches tell of start numbers and peers: what was in the bad ones nobody knows, so the
// entries and the vote come back from the other servers.
//
//	0  repairs-K           an empty file, directory synced            cut here: the next repair is K+1
//	1  NNN.wal.tmp        the new log, with the mark, whole and synced     cut here: a stray file
//	2  each NNN.wal       renamed to damaged-K-NNN.wal, the lowest   cut here: segments are missing,
//	                      first, and the directory synced            and the log is damaged more
//	3  the new log gets its name, directory synced                   cut here: no log, or the new one
//
// The lowest first, and each durably: a bad batch in the last segment but one would look like a torn one if
// what proves it to be damage, the segment behind it, went before it. Of a log that lacks its first segments
// every start finds that they are missing, and the repair begins anew; and so it does when there is none.

// asidePrefix begins the names of files that were set aside, before the number of the repair.
const asidePrefix = "damaged-"

// countPrefix begins the name of the file that counts the repairs, by its name alone. The number of a repair
// makes start numbers rise, and nothing else may be left that tells it: a log can be lost without a trace,
// and what was set aside be removed.
const countPrefix = "repairs-"

// repairShift is where the number of the repair stands in a start number. The starts between two repairs have
// the bits below: so start numbers go on rising although the log that counted them is gone.
const repairShift = 32

// Repair sets a damaged log aside, under names that begin with "damaged-", and founds another in its place
// that holds no entry and begins behind last, the end of a snapshot that is good and stays; zero: at index 1.
// The next Open finds it Repairing, with a start number above all before. The identity stays as it is. The
// new names of the files that were set aside are returned, with an error too.
//
// It asks nobody whether there is damage: call it when Open has said ErrCorrupt, or when the snapshots are
// damaged. After a power cut at any moment everything is as it was, or Open says ErrCorrupt and Repair is to
// be called again, or all is done. Errors: ErrCorrupt, when no copy of the identity is good: then nothing can
// be repaired; ErrForeign, ErrNotInitialized, ErrVersion, or what the disk said.
func Repair(dir disk.Dir, o Options, last raft.EntryID) (aside []string, err error) {
	if aside, err = repair(dir, o, last); err != nil {
		return aside, fmt.Errorf("wal: repair: %w", err)
	}
	return aside, nil
}

func repair(dir disk.Dir, o Options, last raft.EntryID) (aside []string, err error) {
	size, err := o.segmentBytes()
	if err != nil {
		return nil, err
	}
	names, err := dir.List()
	if err != nil {
		return nil, err
	}
	r := newRecovery(dir, func(Piece) error { return nil })
	r.sort(names)
	found, err := r.identify(names)
	if err == nil && !found {
		err = ErrNotInitialized
	}
	if err == nil {
		err = r.Identity.expect(o.Identity)
	}
	if err != nil {
		return nil, err
	}
	r.salvage()
	number := max(r.Start>>repairShift, latest(names, asidePrefix), latest(names, countPrefix)) + 1
	if err := count(dir, names, number); err != nil {
		return nil, err
	}
	temporary, err := r.found(number<<repairShift, size, last)
	if err != nil {
		return nil, err
	}
	for _, n := range r.segments {
		to := asideName(number, segmentName(n))
		if err := rename(dir, segmentName(n), to); err != nil {
			return aside, err
		}
		aside = append(aside, to)
	}
	return aside, rename(dir, temporary, segmentName(1))
}

// rename gives a file another name, durably.
func rename(dir disk.Dir, from, to string) error {
	if err := dir.Rename(from, to); err != nil {
		return fmt.Errorf("rename %s: %w", from, err)
	}
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// salvage reads what good batches tell of start numbers and peers, also of those behind a bad one: the files
// that earlier repairs set aside may be gone, and then nothing else tells which numbers were given.
func (r *recovery) salvage() {
	for _, n := range r.segments {
		s, err := r.load(n)
		if err != nil {
			continue
		}
		for at := int64(segmentHeader); at < s.written && at+batchHeader <= int64(len(s.image)); {
			raw := s.readable(at)
			if raw == nil {
				at += alignment
				continue
			}
			if b, err := decode(raw, r.room[:0]); err == nil {
				r.Start, r.gated = max(r.Start, b.start), r.gated || b.gate
				if known := slices.Clone(r.Peers); (*peers)(&known).accept(b.peers) == nil {
					r.Peers = known
				}
			}
			at += int64(len(raw))
		}
		r.forget(s)
	}
}

// found makes the log that begins anew, durable under a temporary name, which it returns.
func (r *recovery) found(start uint64, size int64, last raft.EntryID) (temporary string, err error) {
	repairs := true
	state := raft.HardState{Term: last.Term}
	b := batch{number: 1, state: &state, start: start, peers: r.Peers, mark: &repairs, gate: r.gated}
	if last.Index > 0 {
		b.base, b.restart = &base{segment: 1, number: 1, before: last}, true
	}
	size = max(min(size, FirstSegmentBytes), align(segmentHeader+b.size()+endMark, disk.Sector))
	content := encodeSegmentHeader(r.Identity.Incarnation, 1, size)
	content = b.append(content, place{r.Identity.Incarnation, 1, segmentHeader})
	content = append(content, make([]byte, size-int64(len(content)))...)

	temporary = segmentName(1) + temporarySuffix
	if err := r.dir.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("remove %s: %w", temporary, err)
	}
	f, err := r.dir.Create(temporary, size)
	if err != nil {
		return "", fmt.Errorf("create %s: %w", temporary, err)
	}
	if err := finishFile(f, content); err != nil {
		return "", fmt.Errorf("write %s: %w", temporary, err)
	}
	return temporary, nil
}

// asideName is the name under which a file is set aside by the repair of that number.
func asideName(repair uint64, name string) string {
	return asidePrefix + strconv.FormatUint(repair, 10) + "-" + name
}

// count notes that there was a repair of that number, durably, instead of those before it.
func count(dir disk.Dir, names []string, repair uint64) error {
	f, err := dir.Create(countPrefix+strconv.FormatUint(repair, 10), 0)
	if err == nil {
		err = finishFile(f, nil)
	}
	if err == nil {
		err = dir.Sync()
	}
	for _, name := range names {
		if strings.HasPrefix(name, countPrefix) && err == nil {
			err = dir.Remove(name)
		}
	}
	if err != nil {
		return fmt.Errorf("count repair %d: %w", repair, err)
	}
	return nil
}

// latest is the number of the latest repair of which a file with that prefix is there; 0 when there is none.
func latest(names []string, prefix string) (latest uint64) {
	for _, name := range names {
		rest, is := strings.CutPrefix(name, prefix)
		digits, _, _ := strings.Cut(rest, "-")
		if n, err := strconv.ParseUint(digits, 10, 31); is && err == nil {
			latest = max(latest, n)
		}
	}
	return latest
}

// SetAside renames a file that is damaged, and none of the log's, as Repair renames segments, and returns its
// new name. It is for a directory that Open finds Repairing: else nothing would tell any more that something
// was lost.
func SetAside(dir disk.Dir, name string) (to string, err error) {
	names, err := dir.List()
	if err == nil {
		number := max(latest(names, asidePrefix), 1)
		for to = asideName(number, name); slices.Contains(names, to); to = asideName(number, name) {
			number++
		}
		err = rename(dir, name, to)
	}
	if err != nil {
		return "", fmt.Errorf("wal: set %s aside: %w", name, err)
	}
	return to, nil
}

// Repaired makes durable that the server counts again, after the hard state and the entries that were
// appended before. It does nothing when there is no mark. Its errors are Append's.
func (l *Log) Repaired() error {
	if l.err != nil || !l.repairs {
		return l.err
	}
	over := false
	if l.err = l.commit(batch{mark: &over}); l.err != nil {
		l.err = fmt.Errorf("wal: repaired: %w", l.err)
		return l.err
	}
	l.repairs = false
	return nil
}
