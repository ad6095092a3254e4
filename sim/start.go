package sim

import (
	"errors"
	"fmt"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wal"
)

// start is a start of the process. cut, if not 0, is the call of the disk in which the power goes again.
func (s *server) start(cause, cut uint64) {
	w := s.world
	if !s.founded {
		return
	}
	s.life++
	s.routes, s.exchanges = nil, s.exchanges[:0]
	s.store.start++ // whether it comes to be durable or not
	s.trouble.panicked, s.trouble.wasFull, s.store.fault.met = false, s.store.full, false
	s.store.sealed = false // a start writes
	s.store.fault.cutIn(cut)
	s.store.arm()
	dir, err := s.store.disk.Open()
	if err != nil {
		w.fail(Recovery, "n%v cannot open its disk: %v", s.id, err)
		return
	}
	found, err := s.recover(dir)
	if isDamage(err) && w.mayRepair(s) {
		found, err = s.repair(dir, err)
	}
	s.store.fault.cutIn(0)
	switch {
	case errors.Is(err, disk.ErrPowerCut):
		s.store.disk.Crash(s.keep())
		w.saw(sawBrokenStart)
		w.note(
			Record{Kind: StartFailed, Cause: cause, Node: s.id, Text: "the power is cut while it recovers"},
		)
		return
	case err != nil:
		s.store.disk.Kill()
		w.note(Record{Kind: StartFailed, Cause: cause, Node: s.id, Text: err.Error()})
		w.refused(s, err)
		return
	}
	if s.trouble.rotten {
		w.saw(sawRotHarmless)
	}
	if found.broken > 0 {
		w.saw(sawRotPassed)
	}
	if found.Torn > 0 {
		w.saw(sawTornWrite)
	}
	s.store.dir, s.store.incarnation, s.store.start = dir, found.Identity.Incarnation, found.Start
	clear(s.met)
	w.met(s, found.Peers)
	p := w.note(Record{Kind: Started, Cause: cause, Node: s.id, N: found.Start, Hash: found.hash()})
	s.ledger.started(w.moment(), s.id, found, s.trouble.rotten)
	s.trouble.rotten = false
	w.recovers(s, found)
	s.begin(p, found)
}

// recovered is what a start finds: the log and the snapshots, and what both together come to.
type recovered struct {
	wal.Recovered
	snapshots []raft.Snapshot // that are good, the newest first
	broken    int             // snapshots that are not
	joined    raft.Restored
}

// recover opens log and snapshots, in the order in which a node does, and joins them.
func (s *server) recover(dir disk.Dir) (found recovered, err error) {
	s.store.log, found.Recovered, err = wal.Open(dir,
		wal.Options{Identity: s.identity(), SegmentBytes: s.world.options.SegmentBytes})
	if err == nil {
		s.store.keeper, err = found.open(dir, s.world.options.SnapshotChunk, s.world.options.SegmentBytes)
	}
	return found, err
}

// open opens the snapshots, which leave a reserve to the log, and joins the log to the newest good one. A
// damaged one does no harm as long as all that it included is still here.
func (found *recovered) open(dir disk.Dir, chunk int, reserve int64) (*snapshot.Keeper, error) {
	store, kept, err := snapshot.Open(dir, snapshot.Options{Cluster: found.Identity.Cluster,
		ChunkBytes: chunk, LogWhole: found.Before == raft.EntryID{}, Reserve: reserve})
	if err != nil {
		return nil, err
	}
	keeper := snapshot.NewKeeper(store)
	found.snapshots, found.broken = keeper.List(), len(kept.Broken)
	found.joined, err = replica.Recover(found.Identity.Bootstrap, found.State, found.Before, found.Entries,
		found.snapshots)
	found.joined.Joins, found.joined.Repairing = found.Identity.Joins, found.Repairing
	for _, b := range kept.Broken {
		if found.Repairing && err == nil { // what it included comes back with the rest
			_, err = wal.SetAside(dir, b.Name)
			continue
		}
		if err == nil && !replica.Includes(found.joined, b.Last) {
			err = fmt.Errorf("what it includes is nowhere else: %w", b.Err)
		}
	}
	return keeper, err
}

// hash is one of all that was found: hard state, entries, peers, snapshots.
func (found *recovered) hash() uint64 {
	h := mix(mix(found.Start, uint64(found.State.Term)), uint64(found.State.Vote))
	h = mix(mix(h, uint64(found.Before.Term)), uint64(found.Before.Index))
	for _, e := range found.Entries {
		h = mix(mix(h, uint64(e.Term)), uint64(e.Index))
		h = mix(mix(mix(h, uint64(e.Time)), uint64(e.Kind)), hashBytes(e.Command))
	}
	for _, p := range found.Peers {
		h = mix(mix(mix(h, uint64(p.Node)), uint64(p.Incarnation)), p.Start)
	}
	for _, s := range found.snapshots {
		h = mix(mix(mix(h, uint64(s.Last.Index)), uint64(s.Last.Term)), s.Size)
	}
	return h
}

// refused takes it that a server does not start: because its disk was damaged, or has just failed.
func (w *World) refused(s *server, err error) {
	damaged := isDamage(err)
	switch {
	case damaged && s.trouble.rotten:
		s.trouble.gone = true
		s.ledger.lost(s.id)
		w.saw(sawRotRefused)
		if s.trouble.sealRot {
			w.saw(sawSealRefused)
		}
	case !damaged && s.mayStop(err):
		w.saw(sawFailedStart)
	case damaged && !s.trouble.gone, !damaged:
		w.fail(Recovery, "n%v does not start: %v", s.id, err)
	}
}

// begin makes the server of what its disk remembers.
func (s *server) begin(cause uint64, found recovered) {
	w := s.world
	machine, config := w.parts.Machine(), s.config(found.Recovered)
	engine, err := w.parts.Server(config, found.joined)
	if err != nil {
		w.fail(Recovery, "n%v cannot begin with what it recovered: %v", s.id, err)
		return
	}
	shows := raft.Time(1_700_000_000)*raft.Time(Second) + raft.Time(w.now+s.wall)
	if s.clock.rate == 0 {
		s.clock.rate = exact
	}
	s.clock = clock{since: w.now, shows: shows, rate: s.clock.rate}
	s.engine, s.machine, s.through = engine, machine, raft.EntryID{}
	s.watched = underEyes(s, machine)
	s.sight = sight{entries: engine.EntriesAfter}
	w.look(s)
	w.push(due{at: w.now + s.clock.until(raft.Time(w.options.Tick)), task: awake, node: s.id, life: s.life,
		cause: cause})
	w.attempt(s, cause, replica.Awake{})
}

// recovers demands that a start that finds what this one has found would find the same again.
func (w *World) recovers(s *server, found recovered) {
	const large = 2 << 20
	if s.life%4 != 0 && s.store.disk.Used() > large { // where a look costs much, every fourth start is enough
		return
	}
	again, _, err := inspect(s.store.disk.Clone(), w.options.SnapshotChunk)
	if err == nil && again.hash() != found.hash() {
		w.fail(Recovery, "n%v recovers one thing, and another thing when it looks again", s.id)
	}
	if err != nil {
		w.fail(Recovery, "n%v has recovered, and cannot be recovered again: %v", s.id, err)
	}
}

// inspect reads what a disk holds, and leaves the log as it is.
func inspect(d *disk.Memory, chunk int) (found recovered, keeper *snapshot.Keeper, err error) {
	dir, err := d.Open()
	if err == nil {
		found.Recovered, err = wal.Inspect(dir)
	}
	if err == nil {
		keeper, err = found.open(dir, chunk, 0)
	}
	return found, keeper, err
}
