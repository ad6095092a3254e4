package main

import (
	"context"
	"testing"
	"time"
)

// TestEachSystem opens a cluster of each, writes and reads, and opens it again: all that was written must be
// applied then.
func TestEachSystem(t *testing.T) {
	if testing.Short() {
		t.Skip("opens clusters on a disk")
	}
	const written = 10
	for _, s := range systems() {
		t.Run(s.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			addresses, err := freeAddresses(nodes)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for round := range uint64(2) {
				c, err := openCluster(s, dir, addresses, s.leases)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.awaitLeader(ctx); err != nil {
					t.Fatal(err)
				}
				for range written {
					if err := c.lead().Propose(ctx, make([]byte, 128)); err != nil {
						t.Error(err)
					}
				}
				if err := c.lead().Read(ctx); err != nil {
					t.Error(err)
				}
				if got := c.lead().Applied(); got < (round+1)*written {
					t.Errorf("start %d: %d commands are applied", round+1, got)
				}
				if err := c.close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
