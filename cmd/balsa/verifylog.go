package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wal"
)

// segmentSeen is what a segment was found to hold.
type segmentSeen struct {
	batches     int
	first, last raft.Index // of the entries in it; 0: none
}

// String is a segment for people.
func (s segmentSeen) String() string {
	text := fmt.Sprintf("%d batches, ", s.batches)
	if s.batches == 1 {
		text = "1 batch, "
	}
	switch {
	case s.first == 0:
		return text + "no entries"
	case s.first == s.last:
		return text + fmt.Sprintf("entry %d", s.first)
	}
	return text + fmt.Sprintf("entries %d to %d", s.first, s.last)
}

// readLog verifies the identity and the log.
func (k *checking) readLog() error {
	seen := map[string]*segmentSeen{}
	lastSeen := ""
	r, err := wal.Walk(k.dir, func(p wal.Piece) error {
		if p.Batch == 0 {
			lastSeen = p.File()
			seen[lastSeen] = &segmentSeen{}
			return nil
		}
		seen[p.File()].take(p)
		k.held.take(p)
		if p.Restart {
			k.last = p.Before.Index
		}
		if n := len(p.Entries); n > 0 {
			k.last = p.Entries[n-1].Index
		}
		return k.readSessions(p)
	})
	k.log, k.logGood = r, err == nil
	if err := k.readIdentity(r); err != nil {
		return err
	}
	if errors.Is(err, wal.ErrNotInitialized) && k.hasSnapshots() {
		k.found(finding{"identity.1", 0, "both copies of the identity are missing, yet there are snapshots",
			doPutBack})
		return nil
	}
	for name, s := range seen {
		k.say(name, "good", "%v", s)
	}
	if err := k.take(lastSeen, err); err != nil {
		return err
	}
	if err != nil {
		return k.readRest(seen)
	}
	k.Starts, k.Term = r.Start, uint64(r.State.Term)
	k.Log = &shownLog{After: uint64(r.Before.Index), Torn: r.Torn}
	if k.last > r.Before.Index {
		k.Log.First, k.Log.Last = uint64(r.Before.Index)+1, uint64(k.last)
	}
	if r.Torn > 0 {
		k.say(lastSeen, "torn", "%v, and %s of a last write that was never synced: the next start cuts it "+
			"off", seen[lastSeen], bytesOf(r.Torn))
	}
	for _, name := range k.names {
		switch {
		case !isSegment(name) || seen[name] != nil:
		case name < lastSeen:
			k.say(name, "released", "no one needs it any more; the next start removes it")
		default:
			k.say(name, "empty", "ready for what comes")
		}
	}
	return nil
}

// take counts a batch.
func (s *segmentSeen) take(p wal.Piece) {
	s.batches++
	if len(p.Entries) == 0 {
		return
	}
	if first := p.Entries[0].Index; s.first == 0 || first < s.first {
		s.first = first
	}
	s.last = max(s.last, p.Entries[len(p.Entries)-1].Index)
}

// readSessions reads the entries of sessions, which a node must understand to go on.
func (k *checking) readSessions(p wal.Piece) error {
	for _, e := range p.Entries {
		if e.Kind != raft.Session {
			continue
		}
		if _, _, err := replica.DecodeOnce(e.Command); err != nil {
			return fail(exitError, "%s at byte %d: entry %d of term %d: %w: verify it with the version of "+
				"this program that has written it", p.File(), p.Offset, e.Index, e.Term, err)
		}
	}
	return nil
}

// readIdentity says how the copies of the identity are.
func (k *checking) readIdentity(r wal.Recovered) error {
	advice := wal.ErrCorrupt.Error()
	if r.Identity.Node != raft.None {
		advice = doNothing
		k.Node, k.Cluster = uint64(r.Identity.Node), r.Identity.Cluster.String()
		founded := ""
		if r.Identity.Joins {
			founded = ", founded to join that cluster"
		}
		for _, name := range copies() {
			if slices.Contains(k.names, name) {
				k.say(name, "good", "node %d of cluster %s, incarnation %016x%s", k.Node, k.Cluster,
					uint64(r.Identity.Incarnation), founded)
			}
		}
	}
	for _, wrong := range r.Copies {
		var d *wal.Damage
		switch {
		case errors.As(wrong, &d):
			k.found(finding{d.File, d.Offset, d.What, advice})
		case errors.Is(wrong, fs.ErrNotExist):
			k.missingCopy()
		default:
			if stop := unreadable(wrong); stop != nil {
				return stop
			}
			name := copies()[0]
			if !strings.Contains(wrong.Error(), name) {
				name = copies()[1]
			}
			k.found(finding{name, 0, "it cannot be read: " + wrong.Error(), doDisk})
		}
	}
	return nil
}

// copies are the two files of the identity.
func copies() []string { return []string{"identity.1", "identity.2"} }

// missingCopy says why a copy may be missing: a first start that was cut short between the two, before
// anything was written, or a person.
func (k *checking) missingCopy() {
	name := copies()[0]
	if slices.Contains(k.names, name) {
		name = copies()[1]
	}
	if k.log.Start == 0 && k.logGood {
		k.say(name, "missing", "the first start was cut short; the next one writes it")
		return
	}
	k.found(finding{name, 0, "the file is missing", doNothing})
}

// readRest looks at the segments behind damage, each for itself.
func (k *checking) readRest(seen map[string]*segmentSeen) error {
	done := func(name string) bool {
		row := k.rows[name]
		return seen[name] != nil || row != nil && row.State == "damaged"
	}
	for _, err := range wal.CheckSegments(k.dir, done) {
		if err := k.take("the log", err); err != nil {
			return err
		}
	}
	for _, name := range k.names {
		if isSegment(name) && k.rows[name] == nil {
			k.say(name, "unjudged", "its checksums are right; how it joins what is damaged cannot be told")
		}
	}
	return nil
}

func (k *checking) hasSnapshots() bool {
	return slices.ContainsFunc(k.names, func(name string) bool {
		_, is := snapshot.ParseName(name)
		return is
	})
}

// firstSegment is the name of the segment in which the log begins.
func (k *checking) firstSegment() string {
	for _, name := range k.names {
		if isSegment(name) && k.rows[name] != nil && k.rows[name].State != "released" {
			return name
		}
	}
	return "the log"
}
