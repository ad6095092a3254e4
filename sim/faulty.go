package sim

import (
	"errors"
	"slices"

	"balsa/disk"
	"balsa/replica"
)

// errDisk is what a failing disk says.
var errDisk = errors.New("simulated disk: input/output error")

// diskFault is what waits to happen to the calls of a disk.
type diskFault struct {
	cut   uint64 // how many calls until the process ends, 1 is the next; 0 never
	power bool   // and the machine with it
	fail  disk.Operation
	after uint64 // how many calls of that kind until one fails, 1 is the next
	met   bool   // one has failed, in this life of the server
}

func (f *diskFault) cutIn(calls uint64) { f.cut = calls }

// meet says what becomes of a call.
func (f *diskFault) meet(c disk.Call) error {
	if f.cut > 0 {
		if f.cut--; f.cut == 0 {
			return disk.ErrPowerCut
		}
	}
	if f.after > 0 && c.Operation == f.fail {
		if f.after--; f.after == 0 {
			f.met = true
			return errDisk
		}
	}
	return nil
}

// arm has the disk ask before each call; a disk to which nothing is going to happen is not slowed down.
func (s *store) arm() {
	if s.fault.cut == 0 && s.fault.after == 0 {
		s.disk.Intercept(nil)
		return
	}
	s.disk.Intercept(s.fault.meet)
}

// mayStop reports whether a server was given the very reason, in this life, for which it stops by itself or
// does not start: a call of its disk has failed, its disk was full, its state machine was poisoned.
func (s *server) mayStop(err error) bool {
	switch {
	case errors.Is(err, errDisk):
		return s.store.fault.met
	case errors.Is(err, disk.ErrNoSpace):
		return s.trouble.wasFull
	case errors.Is(err, replica.ErrStateMachine):
		return s.trouble.panicked
	}
	return false
}

// repair ends whatever was to happen.
func (s *store) repair() {
	s.disk.Limit(0)
	s.full = false
	s.fault = diskFault{met: s.fault.met}
	s.arm()
}

// interrupt leaves what the disk is at somewhere between not begun and done.
func (s *server) interrupt() {
	if s.trouble.wasFull || s.store.fault.after > 0 || s.store.fault.met {
		return
	}
	r := s.world.chance.draw(forCrash, uint64(s.id), 0, uint64(s.life))
	works := s.disturbed()
	for i := range works {
		s.store.fault.cutIn(r.below(works[i].calls)) // 0: all of it is done, and nobody was told
		s.store.arm()
		works[i].perform() // nobody is left to be told
		r = r.again()
	}
	s.store.fault.cutIn(0)
	s.store.arm()
}

// disturbed is what is under way on a disk when its process ends. calls is about how many of the disk it
// takes.
type disturbed struct {
	calls   uint64
	perform func()
}

// disturbed is in one order or another: the first that is cut off in a call is the last that does anything.
func (s *server) disturbed() (works []disturbed) {
	if s.write != nil {
		calls := uint64(5)
		if s.write.Release != 0 || s.write.Restart.Index != 0 {
			calls = 12
		}
		works = append(works, disturbed{calls, func() { _ = s.write.Perform(s.store.log) }})
	}
	if s.save != nil {
		works = append(works, disturbed{16, func() {
			if saved := s.save.Perform(s.store.keeper); saved.Err != nil {
				s.world.saw(sawBrokenSave)
			}
		}})
	}
	if s.storing != nil {
		works = append(works, disturbed{6, func() {
			if stored := s.storing.Perform(s.store.keeper); stored.Err != nil {
				s.world.saw(sawBrokenChunk)
			}
		}})
	}
	if len(works) > 1 && s.life&1 == 0 {
		slices.Reverse(works)
	}
	return works
}

// keep decides what of the unsynced a power cut leaves.
func (s *server) keep() disk.Keep {
	return disk.KeepRandom(uint64(s.world.chance.draw(forKeep, uint64(s.id), 0, uint64(s.life))))
}
