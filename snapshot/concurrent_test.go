package snapshot

import (
	"errors"
	"io"
	"sync"
	"testing"

	"balsa/raft"
)

// A keeper saves while another one's snapshots arrive, and both are sent and restored: the race detector
// looks on.
func TestAKeeperDoesEverythingAtOnce(t *testing.T) {
	from, to := keep(t, written(t)), keep(t, written(t))
	sent := saved(t, from, 31)
	work := []func() error{
		func() error {
			for index := raft.Index(20); index < 60; index++ {
				if _, err := to.Save(named(index), stateOf(index)); err != nil && !Passing(err) {
					return err
				}
			}
			return nil
		},
		func() error {
			for next := uint64(0); ; {
				m := ask(sent)
				m.Offset, m.Data = next, make([]byte, 100)
				n, err := from.Chunk(m.Last, next, m.Data)
				m.Data = m.Data[:n]
				m.Checksum = checksum(m.Data)
				var complete *raft.Snapshot
				if err == nil {
					next, complete, err = to.Store(m)
				}
				if err != nil || complete != nil || errors.Is(to.Refusal(), ErrStale) {
					return err
				}
			}
		},
		func() error {
			buffer := make([]byte, 100)
			for range 200 {
				for _, s := range to.List() {
					_, err := to.Chunk(s.Last, s.Size/2, buffer)
					if err != nil && !errors.Is(err, ErrMissing) {
						return err
					}
				}
			}
			return nil
		},
		func() error {
			for range 40 {
				for _, s := range to.List() {
					err := to.Restore(s.Last, func(r io.Reader) error {
						_, err := io.Copy(io.Discard, r)
						return err
					})
					if err != nil && !errors.Is(err, ErrMissing) {
						return err
					}
				}
			}
			return nil
		},
	}
	var wait sync.WaitGroup
	errs := make([]error, len(work))
	for i, f := range work {
		wait.Go(func() { errs[i] = f() })
	}
	wait.Wait()
	ok(t, errors.Join(errs...))
	saved(t, to, 60)
	lists(t, to, 60, 59)
}

// One snapshot is written while another arrives, a third is read, and old ones go: the race detector looks
// on.
func TestEverythingAtOnce(t *testing.T) {
	s := mustBoot(t, written(t, 10))
	sent := image(t, 31)
	work := []func() error{
		func() error {
			for index := raft.Index(20); index < 60; index++ {
				if err := write(s, index); err != nil && !errors.Is(err, ErrStale) {
					return err
				}
			}
			return nil
		},
		func() error {
			r, err := s.Receive(id(31), int64(len(sent)))
			if err == nil {
				_, err = r.Add(0, sent)
				_, late := r.Commit()
				err = errors.Join(err, late)
			}
			if errors.Is(err, ErrStale) {
				return nil
			}
			return err
		},
		func() error {
			for range 40 {
				if info, found := s.Latest(); found {
					if err := read(s, info); err != nil && !errors.Is(err, ErrMissing) {
						return err
					}
				}
			}
			return nil
		},
		func() error {
			for range 60 {
				if _, err := s.Prune(); err != nil {
					return err
				}
			}
			return nil
		},
	}
	var wait sync.WaitGroup
	errs := make([]error, len(work))
	for i, f := range work {
		wait.Go(func() { errs[i] = f() })
	}
	wait.Wait()
	ok(t, errors.Join(errs...))
	intact(t, s)
	if got := indexes(s); got[0] != 59 {
		t.Fatalf("kept %v", got)
	}
}
