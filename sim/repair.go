package sim

import (
	"cmp"
	"errors"
	"slices"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wal"
)

// A server whose disk was damaged at rest repairs itself, as a node does, where those that are sound are a
// quorum without it. Where they are not it refuses: that the cluster then halts is the matter of halt.go.

// isDamage reports whether an error of a start says that something has changed at rest.
func isDamage(err error) bool {
	return errors.Is(err, wal.ErrCorrupt) || errors.Is(err, snapshot.ErrCorrupt) ||
		errors.Is(err, replica.ErrGap)
}

// mayRepair reports whether every configuration by which something may be decided has a quorum without a
// server and all that have lost something. One that is interrupted goes on.
func (w *World) mayRepair(s *server) bool {
	if !s.trouble.rotten && !s.trouble.repairs || s.trouble.gone {
		return false
	}
	if p, err := profileNamed(cmp.Or(w.spec.Profile, w.spec.Drawn)); err == nil && p.beyond {
		return false // more may be damaged later than can be spared
	}
	gone := func(m raft.Member) bool { return m.ID == s.node || w.isGone(m) }
	return !slices.ContainsFunc(w.ledger.usable, func(c *standing) bool {
		return !survives(c.Configuration, gone)
	})
}

// repair sets what is damaged aside, and opens what takes its place.
func (s *server) repair(dir disk.Dir, damage error) (found recovered, err error) {
	if s.store.log != nil {
		_ = s.store.log.Close()
	}
	log, _ := wal.Inspect(dir)
	if log.Identity.Cluster == (raft.ClusterID{}) {
		return found, damage // both copies of the identity
	}
	last := raft.EntryID{}
	kept, err := snapshot.Inspect(dir)
	if err != nil && !errors.Is(err, snapshot.ErrCorrupt) {
		return found, err
	}
	for _, b := range kept.Broken {
		if !errors.Is(b.Err, snapshot.ErrCorrupt) { // it may be good, and be there again
			return found, b.Err
		}
	}
	if len(kept.Snapshots) > 0 {
		last = kept.Snapshots[0].Last
	}
	options := wal.Options{Identity: s.identity(), SegmentBytes: s.world.options.SegmentBytes}
	options.Identity.Cluster = log.Identity.Cluster
	// From here on, for the disk may fail in the midst of it, or when all is done; and anew for one that has
	// learned something again before its second damage.
	s.ledger.founds(s.id)
	s.trouble.repairs = true
	if _, err := wal.Repair(dir, options, last); err != nil {
		return found, err
	}
	s.world.saw(sawRotRepaired)
	if s.trouble.sealRot {
		s.world.saw(sawSealRefused)
	}
	return s.recover(dir)
}
