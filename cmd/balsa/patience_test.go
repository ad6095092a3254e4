package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A verb that finds nobody says so long before it gives up, and one that is served at once says nothing.
func TestAVerbThatWaitsSaysSo(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		told  int
	}{{quietFor / 2, 0}, {9 * time.Second, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var told bytes.Buffer
			terminal := &console{err: &told}
			terminal.patiently(endpoints{"http://127.0.0.1:8001"}, func() { <-time.After(c.takes) })
			if got := strings.Count(told.String(), "no success yet at http://127.0.0.1:8001"); got != c.told {
				t.Errorf("%v: told %d times: %s", c.takes, got, &told)
			}
		})
	}
}
