package balsa_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
)

// The table of repair_test.go where more than one node is damaged: a minority in the same place, and every
// node, each in another place (helical).

// TestRecoveryOfADamagedMinority: two of five. Those that are sound are a quorum.
func TestRecoveryOfADamagedMinority(t *testing.T) {
	base := newWrecked(t, 5)
	for _, place := range places {
		for i, kind := range damages {
			t.Run(place.name+", "+kind, func(t *testing.T) {
				base.run(t, 5, func(c *cluster) {
					fates := map[raft.NodeID]fate{}
					for _, id := range []raft.NodeID{2, 4} {
						damage(c.disks[id], base.earlier[id], kind, place.files, place.part)
						fates[id] = fate(place.fates[i])
					}
					base.recovers(c, fates)
				})
			})
		}
	}
}

// TestRecoveryOfDamageEverywhere: each node is hit in another place of the table. As long as two of three are
// sound, or have twice what was hit, all is served. Else nothing is: what one of them lost another one may
// have, but nobody knows what was acknowledged.
func TestRecoveryOfDamageEverywhere(t *testing.T) {
	base := newWrecked(t, 3)
	served, halted := 0, 0
	for first, place := range places {
		for i, kind := range damages {
			t.Run(place.name+" and on, "+kind, func(t *testing.T) {
				base.run(t, 3, func(c *cluster) {
					fates := map[raft.NodeID]fate{}
					unharmed := 0
					for turn, id := range all3 {
						place := places[(first+4*turn)%len(places)]
						damage(c.disks[id], base.earlier[id], kind, place.files, place.part)
						if fates[id] = fate(place.fates[i]); fates[id] == sound {
							unharmed++
						}
					}
					if unharmed >= 2 {
						served++
						base.recovers(c, fates)
						return
					}
					halted++
					standsStill(c, fates)
				})
			})
		}
	}
	if served == 0 || halted == 0 {
		t.Errorf("%d clusters served and %d stood still", served, halted)
	}
}

// opens starts all nodes, and demands of each what its damage leads to.
func opens(c *cluster, fates map[raft.NodeID]fate) {
	c.t.Helper()
	for id := raft.NodeID(1); int(id) <= len(c.peers); id++ {
		want, damaged := fates[id]
		if !damaged {
			want = sound
		}
		err := c.tryOpen(id, nil)
		if (err != nil) != (want == refused) {
			c.t.Fatalf("node %v, which is to end as %c: %v", id, want, err)
		}
		if err == nil && c.nodes[id].Status().Repair.On != (want == repaired) {
			c.t.Fatalf("node %v, which is to end as %c: repairing: %v; its files are %v", id, want,
				c.nodes[id].Status().Repair.On, c.disks[id].Names())
		}
	}
}

// recovers demands that all who start count in the end, and have everything.
func (d wrecked) recovers(c *cluster, fates map[raft.NodeID]fate) {
	c.t.Helper()
	opens(c, fates)
	var up []raft.NodeID
	for id := range c.nodes {
		up = append(up, id)
	}
	c.within(20*time.Second, "all count", func() bool {
		return !slices.ContainsFunc(up, func(id raft.NodeID) bool { return c.nodes[id].Status().Repair.On })
	})
	c.mustPropose(c.leader(), "afterwards")
	c.applied(append(slices.Clone(d.commands), "afterwards"), up...)
}

// standsStill demands that nobody leads, and that nothing is told to have happened.
func standsStill(c *cluster, fates map[raft.NodeID]fate) {
	c.t.Helper()
	opens(c, fates)
	advance(20 * time.Second)
	for id, node := range c.nodes {
		if s := node.Status(); s.Role == raft.Leader || s.Leader != raft.None {
			c.t.Errorf("node %v is %v under %v", id, s.Role, s.Leader)
		}
		_, err := c.propose(id, "in vain")
		c.kind(err, balsa.ErrNoLeader, balsa.NotApplied)
	}
}

// TestATornRecordIsCutOff: a power cut has kept a part of the last write, which nobody was told of.
func TestATornRecordIsCutOff(t *testing.T) {
	// flip, zero, truncate, stale, duplicate, misdirect, lose, EIO, permission
	const fates = "..R...Rxx" // a segment is never shorter than it was prepared
	base := newWrecked(t, 3).goesOn(t)
	for i, kind := range damages {
		t.Run(kind, func(t *testing.T) {
			base.run(t, 3, func(c *cluster) {
				last := named(unseal(c.disks[2]))
				damage(c.disks[2], base.earlier[2], kind, last, lastHalf)
				base.recovers(c, map[raft.NodeID]fate{2: fate(fates[i])})
				cut := strings.Contains(c.logged(), "Cut off an unfinished write")
				if want := fate(fates[i]) == sound; cut != want {
					t.Errorf("it says that it cut off an unfinished write: %v", cut)
				}
			})
		})
	}
}

// goesOn lets the cluster write on without taking snapshots. Else what was written last may have said where
// the log begins, and what went before is deleted only when that is durable: it is no unfinished write.
func (d wrecked) goesOn(t *testing.T) wrecked {
	next := wrecked{disks: map[raft.NodeID]*disk.Memory{}, earlier: d.earlier, commands: d.commands}
	d.run(t, len(d.disks), func(c *cluster) {
		c.change = func(config *balsa.Config) {
			manySnapshots(config)
			config.SnapshotBytes = 1 << 20
		}
		for id := range c.peers {
			c.open(id)
		}
		next.commands = append(slices.Clone(next.commands), c.busy(5)...)
		for id := range c.peers {
			c.stop(id)
			next.disks[id] = c.disks[id].Clone()
		}
	})
	return next
}

// unseal takes away what was written behind the last record: the seal, and the segment that was begun for it.
// It returns the segment that the record is in.
func unseal(m *disk.Memory) string {
	last, segments := sealed(m)[0], suffix(".wal")(m)
	for _, later := range segments[slices.Index(segments, last)+1:] {
		m.Delete(later)
	}
	content := m.Read(last)
	at := batches(content)
	m.Zero(last, int64(at[len(at)-2]), int64(len(content)))
	return last
}

// lastHalf is the second half of the last batch.
func lastHalf(content []byte) (int, int) {
	at := batches(content)
	from, to := at[len(at)-2], at[len(at)-1]
	return (from + to) / 2, to
}
