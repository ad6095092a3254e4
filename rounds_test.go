package balsa_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"balsa"
)

// Reads that are confirmed together are each their caller's own: one that gives up leaves the others, and
// each gets an error that nobody else holds.
func TestReadsThatAreConfirmedTogether(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, "x")
		node := c.nodes[leader]
		const readers = 100
		var group sync.WaitGroup
		for i := range readers {
			group.Go(func() {
				mode := balsa.ReadMode{Consistency: balsa.Linearizable, Local: i%2 == 0}
				if state, err := node.Read(c.t.Context(), mode); err != nil || state.Applied == 0 ||
					state.Leader != leader || state.Consistency != balsa.Linearizable {
					c.t.Errorf("read %+v, %v", state, err)
				}
			})
		}
		group.Wait()

		c.network.Isolate(leader)
		errs := make([]error, readers)
		for i := range readers {
			group.Go(func() {
				patience := time.Minute // the leader steps down long before
				if i%2 == 0 {
					patience = 20 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(c.t.Context(), patience)
				defer cancel()
				_, errs[i] = node.Read(ctx, balsa.ReadMode{Local: true})
			})
		}
		group.Wait()
		seen := map[*balsa.Error]bool{}
		for i, err := range errs {
			var e *balsa.Error
			if !errors.As(err, &e) || seen[e] || e.Outcome != balsa.NotApplied ||
				(i%2 == 0) != errors.Is(err, balsa.ErrTimeout) {
				c.t.Errorf("reader %d is told %v, as another one is: %v", i, err, seen[e])
			}
			seen[e] = true
		}
		c.network.Heal()
	})
}
