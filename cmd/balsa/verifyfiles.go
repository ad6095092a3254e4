package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"balsa"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wal"
)

// What to do about damage, where the packages that found it do not say it themselves.
const (
	doPutBack = "put back the undamaged files as they were at the last stop, or have an empty directory " +
		"take the place of this one, with balsa member replace"
	doNothing = "nothing is lost, the next start of the node writes it anew from the other copy; but look " +
		"at the disk"
	doSpare = "nothing is lost, the node starts without it: another snapshot and the log have what it " +
		"includes; move it elsewhere, and look at the disk"
	doDisk = "look at the disk, and copy what can still be read before anything else"
)

// checking is one reading of a directory.
type checking struct {
	*verdict
	dir   *watched
	names []string
	sizes map[string]int64
	rows  map[string]*checkedFile

	log       wal.Recovered
	last      raft.Index // of the log
	logGood   bool
	snapshots []raft.Snapshot // that are good, the newest first
	held      heldEntries
}

// verifyOnce reads a directory from end to end. An error says that it could not be judged.
func (c *console) verifyOnce(ctx context.Context, path string) (*verdict, error) {
	dir, err := c.look(ctx, "verify", path)
	if err != nil {
		return nil, err
	}
	defer dir.end()
	k := &checking{dir: dir, rows: map[string]*checkedFile{},
		verdict: &verdict{Directory: path, Findings: []finding{}}}
	if k.names, err = dir.List(); err != nil {
		return nil, fail(exitError, "%w", err)
	}
	if k.unfinished() {
		k.others()
		return k.verdict, nil
	}
	if empty(k.names) {
		return nil, notData(path, k.names)
	}
	k.sizes, k.held = dir.sizes(k.names), heldEntries{}
	for _, name := range k.names {
		switch last, isSnapshot := snapshot.ParseName(name); {
		case isSnapshot:
			k.held[last] = false
			dir.expect(name, 2*k.sizes[name]) // once as it stands, and once for what is in it
		case ours(name):
			dir.expect(name, k.sizes[name])
		}
	}
	for _, step := range []func() error{k.readLog, k.readSnapshots, k.join} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	k.others()
	if k.Bytes, k.Good = dir.done, len(k.Findings) == 0; !k.Good {
		k.advise()
	}
	return k.verdict, nil
}

// advise says of damage that balsa serve repairs, or that nobody can.
func (k *checking) advise() {
	advice := damageAdvice(k.dir, raft.NodeID(k.Node), false, true)
	for i, f := range k.Findings {
		k.Findings[i].Do = advise(f.Do, advice)
	}
}

// file returns the row of a file.
func (k *checking) file(name string) *checkedFile {
	if k.rows[name] == nil {
		k.rows[name] = &checkedFile{Name: name, Size: k.sizes[name]}
	}
	return k.rows[name]
}

// say puts into the row of a file how it is.
func (k *checking) say(name, state, format string, values ...any) {
	row := k.file(name)
	row.State, row.Detail = state, fmt.Sprintf(format, values...)
}

// found notes damage.
func (k *checking) found(f finding) {
	if !slices.Contains(k.Findings, f) {
		k.Findings = append(k.Findings, f)
	}
	k.say(f.File, "damaged", "at byte %d: %s", f.Offset, f.What)
}

// take notes what an error of reading says of a file, and returns it if it says nothing of any file.
func (k *checking) take(name string, err error) error {
	if stop := unreadable(err); stop != nil {
		return stop
	}
	var unopened *fs.PathError
	if errors.As(err, &unopened) {
		name = filepath.Base(unopened.Path)
	}
	var ofLog *wal.Damage
	var ofSnapshot *snapshot.Damage
	switch {
	case err == nil:
	case errors.As(err, &ofLog):
		k.found(finding{ofLog.File, ofLog.Offset, ofLog.What, wal.ErrCorrupt.Error()})
	case errors.As(err, &ofSnapshot):
		k.found(finding{ofSnapshot.File, ofSnapshot.Offset, ofSnapshot.What, snapshot.ErrCorrupt.Error()})
	case isContent(err):
		k.found(finding{name, 0, err.Error(), doPutBack})
	case errors.Is(err, wal.ErrVersion), errors.Is(err, snapshot.ErrVersion),
		errors.Is(err, snapshot.ErrCodec):
		return fail(exitError, "%w", err)
	case errors.Is(err, fs.ErrNotExist):
		k.found(finding{name, 0, "it was there, and is gone: " + err.Error(), doPutBack})
	default:
		k.found(finding{name, 0, "it cannot be read: " + err.Error(), doDisk})
	}
	return nil
}

// readSnapshots verifies every snapshot, and reads what is in it.
func (k *checking) readSnapshots() error {
	for _, name := range k.names {
		last, isSnapshot := snapshot.ParseName(name)
		if !isSnapshot {
			continue
		}
		shown, err := readSnapshot(k.dir, name)
		if err := k.take(name, err); err != nil {
			return err
		}
		if err != nil || shown == nil {
			continue
		}
		k.say(name, "good", "up to index %d of term %d, %s, %s, %s", shown.Index, shown.Term,
			bytesOf(shown.Size), count(int(shown.Holds.Keys), "key"), count(shown.Holds.Sessions, "session"))
		got := raft.EntryID{Term: raft.Term(shown.Term), Index: raft.Index(shown.Index)}
		switch {
		case got != last:
			k.found(finding{name, 32, fmt.Sprintf("it is the snapshot of %v, under a wrong name", got),
				snapshot.ErrCorrupt.Error()})
		case k.Cluster != "" && shown.Cluster != k.Cluster:
			k.found(finding{name, 16, "it belongs to another cluster, " + shown.Cluster,
				"put it back where it belongs, for the node refuses to start with it"})
		default:
			k.snapshots = slices.Insert(k.snapshots, 0, raft.Snapshot{Last: got})
		}
	}
	return nil
}

// join checks that the snapshots fit each other and the log.
func (k *checking) join() error {
	for i := 1; i < len(k.snapshots); i++ {
		newer, older := k.snapshots[i-1].Last, k.snapshots[i].Last
		if newer.Term < older.Term || newer.Index == older.Index {
			what := fmt.Sprintf("it contradicts the snapshot of %v, and both are good", newer)
			k.found(finding{k.snapshotFile(older), 0, what, snapshot.ErrCorrupt.Error()})
		}
	}
	if !k.logGood {
		return nil
	}
	l := k.log
	restored, err := replica.Recover(l.Identity.Bootstrap, l.State, l.Before, nil, k.snapshots)
	if err != nil {
		k.found(finding{k.firstSegment(), 0, err.Error(), wal.ErrCorrupt.Error()})
	}
	for i, f := range k.Findings {
		last, isSnapshot := snapshot.ParseName(f.File)
		if err == nil && isSnapshot && (k.held[last] || last.Index <= restored.Snapshot.Last.Index) {
			k.Findings[i].Do = strings.Replace(f.Do, snapshot.ErrCorrupt.Error(), doSpare, 1)
		}
	}
	for i, s := range k.snapshots {
		name := k.snapshotFile(s.Last)
		if s.Last.Term > l.State.Term {
			k.found(finding{name, 32, fmt.Sprintf("it includes an entry of term %d, and the log knows none "+
				"above %d", s.Last.Term, l.State.Term), doPutBack})
		}
		if i > 0 && l.Before.Index > s.Last.Index && k.rows[name].State == "good" {
			k.rows[name].Detail += "; the log does not reach back to it, so that it can serve no start"
		}
	}
	return nil
}

// heldEntries says of the last entry of each snapshot, good or bad, whether the log holds it.
type heldEntries map[raft.EntryID]bool

// take notes what a piece of the log holds. Its entries replace everything from the first of them on.
func (h heldEntries) take(p wal.Piece) {
	for last := range h {
		if p.Restart {
			h[last] = false
		}
		if len(p.Entries) > 0 && p.Entries[0].Index <= last.Index {
			h[last] = slices.ContainsFunc(p.Entries, func(e raft.Entry) bool { return e.ID() == last })
		}
	}
}

// snapshotFile is the name of the file of a good snapshot.
func (k *checking) snapshotFile(last raft.EntryID) string {
	at := slices.IndexFunc(k.names, func(name string) bool {
		id, is := snapshot.ParseName(name)
		return is && id == last
	})
	return k.names[at]
}

// others says what the remaining files are, and brings all of them into the order of their names.
func (k *checking) others() {
	for _, name := range k.names {
		switch {
		case k.rows[name] != nil:
		case setAside(name, "before-"):
			k.say(name, "set aside", "of the cluster that was before a recovery; it was not read")
		case setAside(name, "damaged-"):
			k.say(name, "set aside", "by a repair; it was not read, and may go once the node counts again")
		case strings.HasPrefix(name, "repairs-"):
			k.say(name, "good", "it counts the repairs of this directory, and must stay")
		case name == balsa.AskedToJoin:
			k.say(name, "good", "the node has asked a cluster to add it, and does not ask again by itself")
		case strings.HasSuffix(name, ".snapshot.part"):
			k.say(name, "arriving", "a snapshot of which %s have arrived: what is bad in it is sent again",
				bytesOf(k.sizes[name]))
		case strings.HasSuffix(name, ".wal.tmp"):
			k.say(name, "spare", "to be used by the log; no one relies on it, and a start removes it")
		case strings.HasSuffix(name, ".tmp"):
			k.say(name, "left over", "no one relies on it; the next start removes it")
		default:
			k.say(name, "foreign", "it is none of a node's files, and was not read")
		}
	}
	var names []string
	for name := range k.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		k.Files = append(k.Files, *k.rows[name])
	}
}
