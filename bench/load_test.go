package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestLoadCountsWhatEnds has a client whose every operation takes 350 ms, and measures from 200 ms to 1.2 s:
// three operations end in that time, and only two of them began in it too. To count those two alone would
// make slow operations rarer than they are.
func TestLoadCountsWhatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lasting := func(context.Context) error {
			time.Sleep(350 * time.Millisecond)
			return nil
		}
		f, err := load(t.Context(), &cluster{}, 1, lasting, effort{Seconds: 1})
		if err != nil || f.Ops != 3 || f.P50 != 350*time.Millisecond || f.Failed != 0 {
			t.Errorf("%+v, %v", f, err)
		}
		failing := func(context.Context) error {
			time.Sleep(300 * time.Millisecond)
			return errors.New("no")
		}
		f, err = load(t.Context(), &cluster{}, 1, failing, effort{Seconds: 1})
		if err == nil || f.Failed != 2 {
			t.Errorf("of failures alone: %+v, %v", f, err)
		}
	})
}

// TestWriteAll makes every write, and each that fails again until it is done.
func TestWriteAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var once [100]int
		took := make([]time.Duration, len(once))
		failed, err := (&cluster{}).writeAll(t.Context(), 7, len(once), took,
			func(_ context.Context, i int) error {
				time.Sleep(time.Millisecond)
				if once[i]++; i%10 == 0 && once[i] == 1 {
					return errors.New("not yet")
				}
				return nil
			})
		if err != nil || failed != 10 {
			t.Errorf("%d tries failed, %v", failed, err)
		}
		for i, tries := range once {
			want, length := 1, time.Millisecond
			if i%10 == 0 { // tried again after a rest
				want, length = 2, 2*time.Millisecond+rest
			}
			if tries != want || took[i] != length {
				t.Errorf("write %d was tried %d times in %v", i, tries, took[i])
			}
		}
	})
}
