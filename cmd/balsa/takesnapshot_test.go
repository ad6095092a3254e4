package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"balsa/client"
)

// slowNode is a node whose answers to requests for snapshots come after a minute, and say nothing. Its
// statuses follow each other, one for each time it is asked; the last stays.
type slowNode struct {
	asked    int
	statuses []client.Status
}

func (n *slowNode) Snapshot(context.Context, string) (uint64, error) {
	<-time.After(time.Minute)
	if n.asked++; n.asked > 2 {
		return 0, &client.Error{Code: client.CodeNothingNew}
	}
	return 0, &client.Error{Code: client.CodeTimeout, Outcome: client.OutcomeUnknown}
}

func (n *slowNode) Status(context.Context, string) (client.Status, error) {
	s := n.statuses[0]
	if len(n.statuses) > 1 {
		n.statuses = n.statuses[1:]
	}
	return s, nil
}

type states = []client.Status

// nodeAt is the status of a node in its first start, that has applied up to an index and has a snapshot.
func nodeAt(applied, snapshot uint64) client.Status {
	s := client.Status{Start: 1, Applied: applied}
	s.Snapshot.Index = snapshot
	return s
}

// A node answers after a minute at most. What takes longer is waited for all the same: until the snapshot is
// there, or cannot come any more.
func TestASnapshotThatTakesLongerThanTheAPIWaits(t *testing.T) {
	failing, anew := nodeAt(120, 40), nodeAt(120, 40)
	failing.Stats.SnapshotsFailed, failing.SnapshotError = 1, "the disk is full"
	anew.Start = 2
	for name, c := range map[string]struct {
		statuses states
		asked    int
		index    uint64
		said     string
	}{
		"it comes":           {states{nodeAt(100, 40), nodeAt(110, 40), nodeAt(120, 105)}, 1, 105, ""},
		"one before it does": {states{nodeAt(100, 40), nodeAt(110, 80), nodeAt(120, 105)}, 2, 105, ""},
		"two before it do":   {states{nodeAt(100, 40), nodeAt(100, 50), nodeAt(100, 60)}, 3, 0, "nothing"},
		"it is not saved":    {states{nodeAt(100, 40), nodeAt(110, 40), failing}, 1, 0, "disk is full"},
		"the node starts":    {states{nodeAt(100, 40), anew}, 1, 0, "was started anew"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			n := &slowNode{statuses: c.statuses}
			index, err := takeOne(ctx, n, "http://127.0.0.1:8001")
			if index != c.index || n.asked != c.asked || (err == nil) != (c.said == "") ||
				err != nil && !strings.Contains(err.Error(), c.said) {
				t.Errorf("%s: index %d after %d requests, %v", name, index, n.asked, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		_, err := takeOne(ctx, &slowNode{statuses: []client.Status{nodeAt(100, 40)}}, "http://127.0.0.1:8001")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up: %v", err)
		}
	})
}

// While snapshots are written it is said how many are there, and for how long that has taken.
func TestSnapshotsTellHowFarTheyAre(t *testing.T) {
	for took, want := range map[time.Duration]string{
		quietFor / 2: "",
		12 * time.Second: "balsa: the nodes are writing their snapshots: 0 of 2 done after 1s\n" +
			"balsa: the nodes are writing their snapshots: 1 of 2 done after 6s\n" +
			"balsa: the nodes are writing their snapshots: 1 of 2 done after 11s\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			var said bytes.Buffer
			c := &console{err: &said}
			c.counting("the nodes are writing their snapshots", 2, func(done func()) {
				<-time.After(took / 4)
				done()
				<-time.After(took - took/4)
				done()
			})
			if said.String() != want {
				t.Errorf("%v: %s", took, &said)
			}
		})
	}
}
