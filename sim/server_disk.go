package sim

import (
	"errors"

	"balsa/disk"
	"balsa/replica"
)

// What a server does with its disk: the write in flight, seals, and segments ahead of use.

// endWrite performs the write in flight: only now does anything of it reach the disk.
func (s *server) endWrite(cause uint64) {
	w := s.write
	wrote := w.Perform(s.store.log)
	if errors.Is(wrote.Err, disk.ErrPowerCut) {
		s.world.saw(sawBrokenWrite)
		s.die(cause, s.store.fault.power, "it ends in the middle of a write")
		return
	}
	p := s.world.note(Record{Kind: Written, Cause: cause, Node: s.id, N: uint64(w.Number),
		Hash: hashWrite(w)})
	if wrote.Err == nil {
		s.write = nil
		s.ledger.wrote(s.world.moment(), s.id, w)
		s.world.met(s, w.Peers)
		if w.Restart.Index != 0 {
			s.world.saw(sawRestarted)
		}
		if w.Release != 0 {
			s.world.saw(sawReleased)
		}
		if w.Repaired {
			s.trouble.repairs = false
			s.world.saw(sawRepaired)
		}
	}
	s.world.attempt(s, p, wrote)
	if s.up() && wrote.Err == nil {
		s.maintain(p)
	}
}

// hashWrite is a hash of what a write makes durable: the hard state, where the log ends, who was met.
func hashWrite(w *replica.Write) uint64 {
	h := uint64(0)
	if w.State != nil {
		h = mix(mix(1, uint64(w.State.Term)), uint64(w.State.Vote))
	}
	if n := len(w.Entries); n > 0 {
		last := w.Entries[n-1].ID()
		h = mix(mix(h, uint64(w.Entries[0].Index)), mix(uint64(last.Term), uint64(last.Index)))
	}
	h = mix(mix(mix(h, uint64(w.Restart.Index)), uint64(w.Restart.Term)), uint64(w.Release))
	if w.Repaired {
		h = mix(h, 1)
	}
	for _, p := range w.Peers {
		h = mix(mix(mix(h, uint64(p.Node)), uint64(p.Incarnation)), p.Start)
	}
	return h
}

// sealAfter is how long the log is idle before it is sealed, as in the root package.
const sealAfter = 100 * Millisecond

// maintain has the log sealed when it is idle for a while, and its next segment prepared.
func (s *server) maintain(cause uint64) {
	w := s.world
	w.push(due{at: w.now + sealAfter, task: seal, node: s.id, life: s.life, cause: cause, n: s.store.writes})
	if s.store.preparation != nil {
		return
	}
	if s.store.preparation = s.store.log.Prepare(); s.store.preparation != nil {
		w.push(due{at: w.now + s.diskTime(0), task: prepare, node: s.id, life: s.life, cause: cause})
	}
}

func (s *server) seal(d due) {
	if s.write != nil || d.n != s.store.writes {
		return
	}
	err := s.store.log.Seal()
	if errors.Is(err, disk.ErrPowerCut) {
		s.die(d.cause, s.store.fault.power, "it ends in the middle of a seal")
		return
	}
	p := s.world.note(Record{Kind: Sealed, Cause: d.cause, Node: s.id})
	s.store.sealed = err == nil
	if err != nil {
		s.world.attempt(s, p, replica.Wrote{Err: err})
	}
}

func (s *server) prepare(d due) {
	done, err := s.store.preparation.Step()
	if errors.Is(err, disk.ErrPowerCut) {
		s.die(d.cause, s.store.fault.power, "it ends while a segment is prepared")
		return
	}
	p := s.world.note(Record{Kind: Prepared, Cause: d.cause, Node: s.id})
	if !done {
		s.world.push(due{at: s.world.now + s.diskTime(0), task: prepare, node: s.id, life: s.life, cause: p})
		return
	}
	s.store.log.Adopt(s.store.preparation)
	s.store.preparation = nil
}

// diskTime is how long the nth write takes.
func (s *server) diskTime(n uint64) Time {
	o := &s.world.options
	r := s.world.chance.draw(forDisk, uint64(s.id), uint64(s.life), n)
	return s.slowed(o.Disk + r.exponential(o.DiskMean))
}
