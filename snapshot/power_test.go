package snapshot

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// history writes, prunes, receives and resumes on one disk, and knows what must be there.
type history struct {
	t        *testing.T
	disk     *disk.Memory
	store    *Store
	acked    []raft.Index // committed, ascending
	inFlight raft.Index   // a commit that has not returned nil; it may count or not
}

// run does everything once and stops at the first error.
func (h *history) run() error {
	for _, step := range []func() error{
		h.boot, h.create(10), h.create(20), h.prune, h.create(30), h.prune,
		h.receive(40, 500), h.boot, h.receive(40, 5000), h.prune, h.create(50), h.prune, h.prune,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) boot() error {
	h.store = nil
	s, found, err := boot(h.disk, options())
	if err != nil {
		if errors.Is(err, ErrCorrupt) {
			h.t.Fatalf("a crash was taken for damage: %v", err)
		}
		return err
	}
	for _, b := range found.Broken {
		if errors.Is(b.Err, ErrCorrupt) {
			h.t.Fatalf("a crash left a broken snapshot: %v", b)
		}
	}
	if len(found.Broken) > 0 {
		return found.Broken[0].Err // it could not be read now
	}
	h.store = s
	return nil
}

func (h *history) create(index raft.Index) func() error {
	return func() error {
		h.inFlight = index
		if err := write(h.store, index); err != nil {
			return err
		}
		h.acked, h.inFlight = append(h.acked, index), 0
		return nil
	}
}

func (h *history) prune() error {
	_, err := h.store.Prune()
	return err
}

// receive takes in a snapshot, up to a number of bytes or wholly, in parts of 90 bytes.
func (h *history) receive(index raft.Index, most int64) func() error {
	return func() error {
		h.inFlight = index
		sent := image(h.t, index)
		r, err := h.store.Receive(id(index), int64(len(sent)))
		if err != nil {
			return err
		}
		if err := resume(r); err != nil {
			return errors.Join(err, r.Close())
		}
		for r.Next() < min(most, int64(len(sent))) {
			at := r.Next()
			if _, err := r.Add(at, sent[at:min(at+90, int64(len(sent)))]); err != nil {
				return errors.Join(err, r.Close())
			}
		}
		if r.Next() < int64(len(sent)) {
			return r.Close()
		}
		if _, err := r.Commit(); err != nil {
			return err
		}
		h.acked, h.inFlight = append(h.acked, index), 0
		return nil
	}
}

func resume(r *Receiver) error {
	for {
		if done, err := r.Resume(); done || err != nil {
			return err
		}
	}
}

// check says that a store holds what it must: the newest two that were acknowledged, perhaps the one in
// flight, and nothing that is not whole.
func (h *history) check(s *Store) {
	h.t.Helper()
	intact(h.t, s)
	got := indexes(s)
	for _, index := range h.acked[max(0, len(h.acked)-kept):] {
		if !slices.Contains(got, index) && !(h.inFlight != 0 && slices.Contains(got, h.inFlight)) {
			h.t.Fatalf("kept %v, acknowledged %v", got, h.acked)
		}
	}
	if n := len(h.acked); n > 0 && (len(got) < min(n, kept) || got[0] < h.acked[n-1]) {
		h.t.Fatalf("kept %v, acknowledged %v", got, h.acked)
	}
	for _, index := range got {
		if index != h.inFlight && !slices.Contains(h.acked, index) {
			h.t.Fatalf("kept %v, acknowledged only %v", got, h.acked)
		}
	}
}

// after opens a disk that a crash has left, checks it, and goes on: with the same snapshot again, and a new
// one.
func (h *history) after(m *disk.Memory) {
	h.t.Helper()
	next := &history{t: h.t, disk: m, acked: h.acked, inFlight: h.inFlight}
	ok(h.t, next.boot())
	h.check(next.store)
	was := indexes(next.store)
	next.acked, next.inFlight = slices.Sorted(slices.Values(was)), 0 // what is durable now stays
	m.Crash(disk.KeepNone)                                           // what Open returned is durable
	ok(h.t, next.boot())
	if now := indexes(next.store); !slices.Equal(was, now) {
		h.t.Fatalf("opened %v, and after a power cut %v", was, now)
	}
	for _, index := range []raft.Index{40, 45} { // of the first one a part may be there
		if err := next.receive(index, 5000)(); err != nil && !errors.Is(err, ErrStale) {
			h.t.Fatal(err)
		}
		m.Crash(disk.KeepNone)
		ok(h.t, next.boot())
		next.check(next.store)
	}
	ok(h.t, next.create(60)())
	ok(h.t, next.prune())
	m.Crash(disk.KeepNone)
	ok(h.t, next.boot())
	intact(h.t, next.store)
	if got := indexes(next.store); got[0] != 60 {
		h.t.Fatalf("kept %v", got)
	}
}

// failing runs the history on a fresh disk with one operation failing; false when there are no more
// operations.
func failing(t *testing.T, n int, why error) (*history, bool) {
	h := &history{t: t, disk: disk.NewMemory()}
	h.disk.Intercept(func(c disk.Call) error {
		if c.Number == n {
			return why
		}
		return nil
	})
	err := h.run()
	failed := h.disk.Calls() >= n
	if failed && err == nil {
		t.Fatalf("operation %d failed and nobody noticed", n)
	}
	h.disk.Intercept(nil)
	return h, failed
}

func TestAPowerCutAtEveryOperation(t *testing.T) {
	subsets := 0
	for n := 1; ; n++ {
		h, failed := failing(t, n, disk.ErrPowerCut)
		if !failed {
			ok(t, h.ended())
			break
		}
		pending := h.disk.Unsynced()
		most := uint64(1) << min(pending, 7)
		for mask := range most {
			m := h.disk.Clone()
			if pending <= 7 {
				m.Crash(disk.KeepBits(mask))
			} else {
				m.Crash(disk.KeepRandom(mask))
			}
			subsets++
			h.after(m)
		}
	}
	if subsets < 900 {
		t.Fatalf("only %d crashes", subsets)
	}
	t.Logf("%d crashes", subsets)
}

// ended checks the end of a history in which nothing failed.
func (h *history) ended() error {
	h.check(h.store)
	if got := indexes(h.store); !slices.Equal(got, []raft.Index{50, 40}) {
		return fmt.Errorf("kept %v", got)
	}
	return nil
}

// A process that is killed leaves names and bytes that are visible and not durable.
func TestAKillAtEveryOperation(t *testing.T) {
	for n := 1; ; n++ {
		h, failed := failing(t, n, errBroken)
		if !failed {
			return
		}
		m := h.disk.Clone()
		m.Kill()
		h.after(m)
	}
}

// After a failed sync the same process changes nothing more, and the next one loses nothing.
func TestAFailedSyncIsFinal(t *testing.T) {
	syncs := 0
	for n := 1; ; n++ {
		h := &history{t: t, disk: disk.NewMemory()}
		hit := false
		h.disk.Intercept(func(c disk.Call) error {
			if c.Number == n && (c.Operation == disk.OpSync || c.Operation == disk.OpSyncDir) {
				hit = true
				return errBroken
			}
			return nil
		})
		err := h.run()
		if h.disk.Calls() < n {
			break
		}
		if !hit {
			continue
		}
		syncs++
		fails(t, err, errBroken)
		if h.store != nil && len(h.acked) > 0 && h.inFlight != 0 {
			_, err = h.store.Create(meta(70))
			fails(t, err, errBroken)
			_, err = h.store.Receive(id(70), 1000)
			fails(t, err, errBroken)
			_, err = h.store.Prune()
			fails(t, err, errBroken)
		}
		h.disk.Intercept(nil)
		h.after(h.disk)
	}
	if syncs < 15 {
		t.Fatalf("only %d syncs", syncs)
	}
}

// A full disk costs the snapshot that was being written or received, and nothing else; when there is room
// again the same process goes on.
func TestAFullDisk(t *testing.T) {
	full := 0
	for n := 1; n < 120; n++ {
		h := &history{t: t, disk: disk.NewMemory()}
		ok(t, h.boot())
		h.disk.Intercept(func(c disk.Call) error {
			if c.Number == n && (c.Operation == disk.OpWrite || c.Operation == disk.OpCreate) {
				return disk.ErrNoSpace
			}
			return nil
		})
		for _, step := range []func() error{
			h.create(10), h.create(20), h.receive(30, 5000), h.create(40), h.prune,
		} {
			if err := step(); err != nil {
				full++
				fails(t, err, disk.ErrNoSpace)
				h.check(h.store)
				h.inFlight = 0
				ok(t, step()) // there is room again
			}
		}
		h.check(h.store)
	}
	if full < 20 {
		t.Fatalf("the disk was full only %d times", full)
	}
}

// A disk that is really full: every size of it, up to the one that is large enough.
func TestASmallDisk(t *testing.T) {
	for pages := int64(1); pages < 8; pages++ {
		m := disk.NewMemory()
		h := &history{t: t, disk: m}
		ok(t, h.boot())
		m.Limit(pages * 4096)
		var err error
		for index := raft.Index(10); err == nil && index <= 40; index += 10 {
			if err = h.create(index)(); err == nil {
				err = h.prune()
			}
		}
		if pages < 3 {
			fails(t, err, disk.ErrNoSpace)
		} else {
			ok(t, err)
		}
		h.check(h.store)
		if slices.Contains(m.Names(), writingName) {
			t.Fatal("what was given up still takes room")
		}
		m.Limit(0)
		m.Crash(disk.KeepNone)
		h.after(m)
	}
}
