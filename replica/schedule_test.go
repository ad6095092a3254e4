package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// perfect is a store without a format: what is written is there, and a write that is cut short is there or
// not.
type perfect struct {
	disk   modelLog
	start  uint64
	fail   bool
	landed bool // whether the Append that fails has written all the same
}

var errDisk = errors.New("input/output error")

func (p *perfect) Append(state *raft.HardState, entries []raft.Entry, peers ...raft.Acquaintance) error {
	if p.fail {
		p.fail = false
		if p.landed {
			return errors.Join(errDisk, p.disk.Append(state, entries, peers...))
		}
		return errDisk
	}
	return p.disk.Append(state, entries, peers...)
}

func (p *perfect) Restart(last raft.EntryID) error { return p.disk.Restart(last) }

func (p *perfect) Repaired() error { return p.disk.Repaired() }

func (p *perfect) Release(through raft.Index) error { return p.disk.Release(through) }

func (p *perfect) failNext(dice *rand.Rand) { p.fail, p.landed = true, dice.IntN(2) == 0 }

func (p *perfect) mend() { p.fail = false }

func (p *perfect) crash(dice *rand.Rand, during *Write) {
	p.fail = false
	if during != nil && dice.IntN(2) == 0 {
		_ = during.Perform(&p.disk) // nobody hears how it ended
	}
}

func (p *perfect) open(*rand.Rand) (wal.Recovered, error) {
	p.start++
	return wal.Recovered{State: p.disk.state, Entries: slices.Clone(p.disk.entries), Start: p.start,
		Peers: slices.Clone(p.disk.peers)}, nil
}

// logged is a write-ahead log on a disk in memory, which loses power at any operation and tears what was not
// synced.
type logged struct {
	*wal.Log
	disk    *disk.Memory
	options wal.Options
}

func newLogged(id raft.NodeID, n int, segment int64) *logged {
	self := identity(id)
	return &logged{disk: disk.NewMemory(), options: wal.Options{SegmentBytes: segment, Identity: wal.Identity{
		Cluster: self.Cluster, Node: id, Incarnation: self.Incarnation, Bootstrap: voters(n),
	}}}
}

// trap makes the disk's n-th next operation fail, and no other.
func (l *logged) trap(n int, err error) {
	l.disk.Intercept(func(disk.Call) error {
		n--
		if n == 0 {
			return err
		}
		return nil
	})
}

func (l *logged) failNext(dice *rand.Rand) { l.trap(1+dice.IntN(3), errDisk) }
func (l *logged) mend()                    { l.disk.Intercept(nil) }

func (l *logged) crash(dice *rand.Rand, during *Write) {
	power := dice.IntN(3) > 0
	if during != nil {
		l.trap(1+dice.IntN(4), map[bool]error{true: disk.ErrPowerCut, false: errDisk}[power])
		_ = during.Perform(l) // nobody hears how it ended
	}
	l.disk.Intercept(nil)
	if power {
		l.disk.Crash(disk.KeepRandom(dice.Uint64()))
	} else {
		l.disk.Kill()
	}
}

// open starts, and at times loses power in doing so.
func (l *logged) open(dice *rand.Rand) (wal.Recovered, error) {
	l.disk.Intercept(nil)
	if dice.IntN(3) == 0 {
		l.trap(1+dice.IntN(20), disk.ErrPowerCut)
	}
	log, found, err := l.boot()
	for errors.Is(err, disk.ErrPowerCut) {
		l.disk.Intercept(nil)
		l.disk.Crash(disk.KeepRandom(dice.Uint64()))
		log, found, err = l.boot()
	}
	l.disk.Intercept(nil)
	l.Log = log
	return found, err
}

func (l *logged) boot() (*wal.Log, wal.Recovered, error) {
	dir, err := l.disk.Open()
	if err != nil {
		return nil, wal.Recovered{}, err
	}
	return wal.Open(dir, l.options)
}

// TestRandomSchedules runs whole clusters under faults. A failing seed can be run alone: -run
// 'Schedules/3/17$'.
func TestRandomSchedules(t *testing.T) {
	perfects := func(id raft.NodeID, n int, seed int) store { return &perfect{} }
	logs := func(id raft.NodeID, n int, seed int) store {
		return newLogged(id, n, int64(wal.MinSegmentBytes<<(seed%5)))
	}
	for _, c := range []struct {
		name                    string
		servers, seeds, actions int
		store                   func(id raft.NodeID, n, seed int) store
	}{
		{"1", 1, 30, 1000, perfects},
		{"3", 3, 120, 3000, perfects},
		{"5", 5, 25, 8000, perfects},
		{"3 on logs", 3, 100, 3000, logs},
		{"5 on logs", 5, 25, 8000, logs},
	} {
		sum := &tally{}
		t.Run(c.name, func(t *testing.T) {
			for seed := range c.seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					var stores []store
					for id := range c.servers {
						stores = append(stores, c.store(raft.NodeID(id+1), c.servers, seed))
					}
					newWorld(t, uint64(seed), sum, stores).run(c.actions)
				})
			}
		})
		t.Logf("%s: %+v", c.name, *sum)
		if c.servers > 1 && !t.Failed() {
			sum.interesting(t)
		}
	}
}

// interesting fails a run in which nothing happened: it is no evidence. (Only Replaced is too rare for so
// few worlds; it has its own tests. Those of sessions, snapshots and changes are not asked for here.)
func (c *tally) interesting(t *testing.T) {
	t.Helper()
	for fate, count := range c.fates {
		asked := Fate(fate) < SessionGone || Fate(fate) == HandingOver
		if count == 0 && asked && Fate(fate) != Replaced {
			t.Errorf("nobody was answered with fate %d", fate)
		}
	}
	for what, count := range map[string]int{
		"elections": c.elections, "truncations": c.truncations, "crashes": c.crashes,
		"writes cut short":           c.cutShort,
		"writes that landed unheard": c.landed, "lost frames": c.lost, "stops": c.stops, "panics": c.panics,
		"gathered writes": c.gathered, "batches": c.batches, "repeated frames": c.repeated,
	} {
		if count == 0 {
			t.Errorf("there were no %s", what)
		}
	}
}
