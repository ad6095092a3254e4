package replica

import (
	"errors"
	"fmt"

	"balsa/raft"
)

// ErrGap is wrapped when the log begins behind everything that the snapshots include: what lies between was
// acknowledged and is not there. No crash explains that, so it is damage, and nothing may be built on it.
var ErrGap = errors.New("entries are missing between the newest snapshot and the log")

// Recover joins what the disk has: the log (hard state, entries, and the one right before them) and the
// snapshots that were verified, the newest first. The newest is the state to begin with. It may end before
// the log does, or behind it: when it came from the leader, and the server ended before the log began anew.
//
// The bootstrap configuration counts as the snapshot at index 0, so that a log that begins at index 1 needs
// none. An error wraps ErrGap.
func Recover(bootstrap raft.Configuration, state raft.HardState, before raft.EntryID, entries []raft.Entry,
	snapshots []raft.Snapshot) (raft.Restored, error) {
	restored := raft.Restored{HardState: state, Before: before, Entries: entries, Members: bootstrap}
	if len(snapshots) > 0 {
		restored.Snapshot = snapshots[0]
	}
	if last := restored.Snapshot.Last; before.Index > last.Index {
		return raft.Restored{}, fmt.Errorf("%w: the snapshots reach up to %v, the log begins behind %v",
			ErrGap, last, before)
	}
	return restored, nil
}

// Includes reports whether a restored state goes as far as an entry. A snapshot up to that entry may then be
// missing, or damaged; otherwise what this server has acknowledged may be gone with it: a received snapshot
// counts before the log on disk has begun anew behind it.
func Includes(restored raft.Restored, last raft.EntryID) bool {
	if last.Index <= restored.Snapshot.Last.Index {
		return true
	}
	if last.Index <= restored.Before.Index {
		return false // there is no snapshot that reaches up to the log: Recover refuses that
	}
	at := last.Index - restored.Before.Index - 1
	return at < raft.Index(len(restored.Entries)) && restored.Entries[at].ID() == last
}
