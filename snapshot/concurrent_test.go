package snapshot

import (
	"errors"
	"sync"
	"testing"

	"balsa/raft"
)

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
