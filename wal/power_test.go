package wal

import (
	"errors"
	"math/rand/v2"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

var (
	errBroken = errors.New("broken")
	errKilled = errors.New("killed")
)

// world runs a log on a disk on which things go wrong, and knows what the log must hold.
type world struct {
	t        *testing.T
	disk     *disk.Memory
	random   *rand.Rand
	log      *Log
	acked    contents
	inFlight *step  // an append that returned an error: it may be there or not
	start    uint64 // highest number of a start that returned

	preparation     *Preparation
	seals, prepared int
	recycled, gone  int // segments that were used again; segments that went
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{t: t, disk: disk.NewMemory(), random: rand.New(rand.NewPCG(seed, 1))}
}

// failAt makes the n-th operation from now on fail.
func (w *world) failAt(n int, err error) {
	n += w.disk.Calls()
	w.disk.Intercept(func(c disk.Call) error {
		if c.Number == n {
			return err
		}
		return nil
	})
}

// run boots and appends steps until something fails. It returns false when nothing did.
func (w *world) run(steps int) bool {
	if w.boot() != nil {
		return true
	}
	for range steps {
		if w.between() != nil {
			return true
		}
		s, base := draw(w.random, w.acked), w.log.chain.base.segment
		if err := s.append(w.log); err != nil {
			w.inFlight = &s
			if again := s.append(w.log); !errors.Is(again, err) {
				w.t.Fatalf("the first error was %v, the next append says %v", err, again)
			}
			return true
		}
		w.acked = w.acked.after(s)
		w.gone += int(w.log.chain.base.segment - base)
	}
	return false
}

// between does some of what is done between appends, or beside them: it seals, and takes a step of a
// preparation, so that anything may come between two of them.
func (w *world) between() error {
	if w.random.IntN(4) == 0 {
		if err := w.log.Seal(); err != nil {
			return err
		}
		w.seals++
	}
	if p := w.log.Prepare(); p != nil && w.random.IntN(2) == 0 {
		w.preparation = p
	} else if p != nil {
		w.log.Adopt(p) // given up before it began
	}
	if w.preparation == nil || w.random.IntN(3) == 0 {
		return nil
	}
	recycled := w.preparation.name != ""
	done, err := w.preparation.Step()
	if done || w.random.IntN(10) == 0 {
		w.log.Adopt(w.preparation)
		w.preparation = nil
	}
	if done && err == nil {
		w.prepared++
		if recycled {
			w.recycled++
		}
	}
	if errors.Is(err, errKilled) || errors.Is(err, disk.ErrPowerCut) {
		return err
	}
	return nil // a failed preparation is no failure of the log
}

// boot opens the log and checks what it recovered: all that was acknowledged, and of the append that failed
// all or nothing.
func (w *world) boot() error {
	l, r, err := boot(w.disk, small())
	if err != nil {
		for _, verdict := range []error{ErrCorrupt, ErrForeign, ErrNotInitialized, ErrVersion} {
			if errors.Is(err, verdict) {
				w.t.Fatalf("a crash was taken for something else: %v", err)
			}
		}
		return err
	}
	w.check(r)
	if r.Start <= w.start {
		w.t.Fatalf("start %d after start %d", r.Start, w.start)
	}
	w.log, w.acked, w.inFlight, w.start = l, held(r), nil, r.Start
	w.preparation = nil
	return nil
}

func (w *world) check(r Recovered) {
	w.t.Helper()
	if w.acked.equal(r) || w.inFlight != nil && w.acked.after(*w.inFlight).equal(r) {
		return
	}
	w.t.Fatalf("recovered     %v\nacknowledged  %v\nin flight     %+v", held(r), w.acked, w.inFlight)
}

// subsets calls f with copies of the disk after a power cut: one for each subset of what was pending if
// that was little, else for some of them.
func (w *world) subsets(f func(m *disk.Memory)) {
	n := w.disk.Unsynced()
	exhaustive := n <= 6
	for mask := range uint64(1) << min(n, 6) {
		m := w.disk.Clone()
		if exhaustive {
			m.Crash(disk.KeepBits(mask))
		} else {
			m.Crash(disk.KeepRandom(w.random.Uint64()))
		}
		f(m)
	}
}

// The power is cut in the middle of every operation of a history, with any subset of the unsynced sectors
// and names kept.
func TestPowerCutAtEveryOperation(t *testing.T) {
	const steps = 25
	torn, whole, seals, prepared, recycled, gone := 0, 0, 0, 0, 0, 0
	for seed := range uint64(14) {
		for cut, failed := 1, true; failed; cut++ {
			w := newWorld(t, seed)
			w.failAt(cut, disk.ErrPowerCut)
			failed = w.run(steps)
			w.subsets(func(m *disk.Memory) {
				r, err := inspect(m)
				if errors.Is(err, ErrNotInitialized) && w.start == 0 {
					return
				}
				ok(t, err)
				w.check(r)
				if r.Torn > 0 {
					torn++
				}
				if w.inFlight != nil && w.acked.after(*w.inFlight).equal(r) {
					whole++
				}
			})
			seals, prepared = seals+w.seals, prepared+w.prepared
			recycled, gone = recycled+w.recycled, gone+w.gone
			w.disk.Intercept(nil)
			w.disk.Crash(disk.KeepRandom(seed))
			if w.run(3) {
				t.Fatalf("seed %d cut %d: the log cannot go on", seed, cut)
			}
		}
	}
	t.Logf("%d torn batches, %d whole ones, %d seals, %d segments prepared, %d used again, %d gone",
		torn, whole, seals, prepared, recycled, gone)
	if torn < 300 || whole < 100 || recycled < 100 || gone < 1000 {
		t.Fatal("these histories prove little")
	}
}

// Crashes come one after the other, also while the log recovers from the last one: power cuts, killed
// processes, failed operations, full disks.
func TestMisfortunes(t *testing.T) {
	for seed := range uint64(300) {
		w := newWorld(t, seed)
		for range 40 {
			w.misfortune()
		}
		w.disk.Intercept(nil)
		w.disk.Limit(0)
		if w.run(10) {
			t.Fatalf("seed %d: the log cannot go on on a good disk", seed)
		}
	}
}

func (w *world) misfortune() {
	kind := w.random.IntN(4)
	at := 1 + w.random.IntN(60)
	switch kind {
	case 0:
		w.failAt(at, disk.ErrPowerCut)
	case 1:
		w.failAt(at, errKilled)
	case 2:
		w.failAt(at, errBroken)
	case 3:
		w.disk.Intercept(nil)
		w.disk.Limit(w.disk.Used() + int64(w.random.IntN(5))*4096)
	}
	w.run(8)
	w.disk.Intercept(nil)
	w.disk.Limit(0)
	if kind == 0 || w.random.IntN(3) == 0 {
		w.disk.Crash(disk.KeepRandom(w.random.Uint64()))
	} else {
		w.disk.Kill()
	}
}

// A process is killed at every operation of its first steps, the next one works, and then the power is cut:
// what the second one found in the memory of the operating system, and has acknowledged, must be on the
// disk.
func TestPowerCutAfterAKill(t *testing.T) {
	for seed := range uint64(4) {
		for kill, failed := 1, true; failed; kill++ {
			for steps := range 3 {
				for _, err := range []error{errKilled, errBroken} {
					w := newWorld(t, seed)
					w.failAt(kill, err)
					failed = w.run(8)
					w.disk.Intercept(nil)
					w.disk.Kill()
					if w.run(steps) {
						t.Fatalf("seed %d kill %d: the log cannot go on", seed, kill)
					}
					w.disk.Crash(disk.KeepNone)
					ok(t, w.boot())
				}
			}
		}
	}
}

// The rest of a torn batch is zeroed durably before the next batch is written over its beginning. Else a
// cut that keeps the new header and loses some of the zeros leaves a header with something behind its
// extent, which only damage explains.
func TestPowerCutWhileATornTailIsCut(t *testing.T) {
	torn := 0
	for size := range 33 {
		w := newWorld(t, uint64(size))
		o := Options{Identity: identity(), SegmentBytes: 8192}
		l, _ := mustBoot(t, w.disk, o)
		ok(t, l.Append(nil, []raft.Entry{entry(1, 1, 16*size)}))
		w.failAt(1, disk.ErrPowerCut)
		fails(t, l.Append(nil, []raft.Entry{entry(1, 2, 2500)}), disk.ErrPowerCut)
		w.disk.Crash(func(p disk.Pending) bool { return p.Sector%2 == w.random.Int64N(2) })
		for cut := 1; ; cut++ {
			again := &world{t: t, disk: w.disk.Clone(), random: w.random}
			again.failAt(cut, disk.ErrPowerCut)
			_, r, err := boot(again.disk, o)
			if err == nil {
				torn += int(min(r.Torn, 1))
				break
			}
			again.subsets(func(m *disk.Memory) {
				_, err := inspect(m)
				ok(t, err)
			})
		}
	}
	if torn < 10 {
		t.Fatalf("only %d batches were torn", torn)
	}
}

// Every operation fails in its turn. The first error stays, and costs nothing that was acknowledged.
func TestEveryOperationFails(t *testing.T) {
	for seed := range uint64(8) {
		for _, failure := range []error{errBroken, disk.ErrNoSpace} {
			for at, failed := 1, true; failed; at++ {
				w := newWorld(t, seed)
				w.failAt(at, failure)
				failed = w.run(20)
				if failed && w.log != nil && w.log.err != nil {
					fails(t, w.log.err, failure)
				}
				w.subsets(func(m *disk.Memory) {
					r, err := inspect(m)
					if w.start > 0 || !errors.Is(err, ErrNotInitialized) {
						ok(t, err)
						w.check(r)
					}
				})
			}
		}
	}
}
