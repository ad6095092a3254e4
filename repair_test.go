package balsa_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// What becomes of a damaged disk. The table has a row for each place and a column for each kind of damage; in
// each cell one node of three is stopped, damaged and started.

// fate is what must become of the node.
type fate byte

const (
	sound    fate = '.' // it starts as if nothing had happened: what was hit is not needed, or there twice
	repaired fate = 'R' // it counts for nothing until the others have brought back what it lost
	refused  fate = 'x' // it does not start
)

// kinds of damage, in the order of the columns.
var damages = []string{"flip", "zero", "truncate", "stale", "duplicate", "misdirect", "lose", "EIO",
	"permission"}

// places of damage: which files, and which part of them. The letters are the fates, in the order of damages.
var places = []struct {
	name  string
	fates string
	files func(*disk.Memory) []string
	part  func(content []byte) (from, to int) // what is hit; never empty
}{
	{"header of the log", "RRRRRRRxx", first(".wal"), bytesOf(8, 48)},
	{"record in the middle", "RRRRRRRxx", middle(".wal"), bytesOf(96, 160)},
	{"last record, under its seal", "RRRRRRRxx", sealed, lastRecord},
	{"zeros behind the end", "..R...Rxx", last(".wal"), tail},
	{"identity copy 1", ".........", named("identity.1"), bytesOf(20, 60)},
	{"identity copy 2", ".........", named("identity.2"), bytesOf(20, 60)},
	{"identity, both copies", "xxx.xxxxx", suffix("identity."), bytesOf(20, 60)},
	{"header of the newest snapshot", ".........", last(".snapshot"), bytesOf(20, 60)},
	{"body of the newest snapshot", ".........", last(".snapshot"), half},
	{"trailer of the newest snapshot", ".........", last(".snapshot"), end},
	{"all snapshots", "RRRRRRRxx", suffix(".snapshot"), half},
	{"a temporary file", ".........", named("next.wal.tmp"), bytesOf(0, 100)},
}

func TestRecoveryOfADamagedDisk(t *testing.T) {
	base := newWrecked(t, 3)
	for _, place := range places {
		for i, kind := range damages {
			t.Run(place.name+", "+kind, func(t *testing.T) {
				base.run(t, 3, func(c *cluster) {
					want := fate(place.fates[i])
					trouble := damage(c.disks[2], base.earlier[2], kind, place.files, place.part)
					err := c.tryOpen(2, trouble)
					if want == refused {
						if err == nil {
							c.t.Fatal("it starts")
						}
						return
					}
					if err != nil {
						c.t.Fatalf("it does not start: %v", err)
					}
					if on := c.nodes[2].Status().Repair.On; on != (want == repaired) {
						c.t.Fatalf("repairing: %v; its files are %v", on, c.disks[2].Names())
					}
					c.open(1)
					c.open(3)
					c.within(20*time.Second, "the node counts", func() bool {
						return !c.nodes[2].Status().Repair.On
					})
					c.mustPropose(c.leader(), "afterwards")
					c.applied(append(slices.Clone(base.commands), "afterwards"), all3...)
				})
			})
		}
	}
}

// TestTwoOfFiveRepairThemselves: those that are sound are a quorum, and bring both back.
func TestTwoOfFiveRepairThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 5)
		defer c.close()
		c.change = manySnapshots
		for id := range c.peers {
			c.open(id)
		}
		commands := c.busy(40)
		for id := range c.peers {
			c.stop(id)
		}
		for id := raft.NodeID(4); id <= 5; id++ {
			damage(c.disks[id], c.disks[id].Clone(), "flip", middle(".wal"), bytesOf(96, 160))
		}
		for id := range c.peers {
			c.open(id)
		}
		for id := raft.NodeID(4); id <= 5; id++ {
			if !c.nodes[id].Status().Repair.On {
				t.Fatalf("node %v does not repair itself", id)
			}
		}
		c.within(20*time.Second, "both count", func() bool {
			return !c.nodes[4].Status().Repair.On && !c.nodes[5].Status().Repair.On
		})
		c.applied(commands, 1, 2, 3, 4, 5)
	})
}

// TestDamageEverywhereHaltsTheCluster: another file of each node is damaged. Together they may have all
// that was acknowledged, and nobody can know: so nobody leads, and each says why.
func TestDamageEverywhereHaltsTheCluster(t *testing.T) {
	base := newWrecked(t, 3)
	base.run(t, 3, func(c *cluster) {
		damage(c.disks[1], nil, "flip", first(".wal"), bytesOf(8, 48))
		damage(c.disks[2], nil, "zero", middle(".wal"), bytesOf(96, 160))
		damage(c.disks[3], nil, "lose", last(".wal"), bytesOf(0, 1))
		for _, id := range all3 {
			c.open(id)
		}
		c.within(5*time.Second, "all say that the cluster halts", func() bool {
			goesOn := func(id raft.NodeID) bool { return !c.nodes[id].Status().Repair.Halts }
			return !slices.ContainsFunc(all3, goesOn)
		})
		advance(30 * time.Second)
		for _, id := range all3 {
			if s := c.nodes[id].Status(); s.Role != raft.Follower || s.Leader != raft.None || !s.Repair.On {
				t.Errorf("node %v is %v under %v", id, s.Role, s.Leader)
			}
			_, err := c.propose(id, "in vain")
			c.kind(err, balsa.ErrNoLeader, balsa.NotApplied)
		}
		if !strings.Contains(c.logged(), "no quorum is left") {
			t.Error("the log does not say why the cluster halts")
		}
	})
}

// TestWithoutRepairDamageIsRefused, and so it is where nobody could bring anything back.
func TestWithoutRepairDamageIsRefused(t *testing.T) {
	base := newWrecked(t, 3)
	base.run(t, 3, func(c *cluster) {
		damage(c.disks[2], nil, "flip", middle(".wal"), bytesOf(96, 160))
		names := c.disks[2].Names()
		err := c.tryOpen(2, func(config *balsa.Config) { config.Repair = false })
		if !errors.Is(err, wal.ErrCorrupt) || !slices.Equal(names, c.disks[2].Names()) {
			t.Errorf("it says %v and has the files %v", err, c.disks[2].Names())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		defer c.close()
		c.change = manySnapshots
		c.open(1)
		c.busy(40)
		c.stop(1)
		damage(c.disks[1], nil, "flip", suffix(".wal"), bytesOf(8, 48))
		if err := c.tryOpen(1, nil); !errors.Is(err, wal.ErrCorrupt) {
			t.Errorf("a cluster of one node: %v", err)
		}
	})
}

// TestANodeThatIsRestartedWhileItRepairsItself goes on, and what is damaged meanwhile is repaired too.
func TestANodeThatIsRestartedWhileItRepairsItself(t *testing.T) {
	base := newWrecked(t, 3)
	base.run(t, 3, func(c *cluster) {
		damage(c.disks[2], nil, "flip", middle(".wal"), bytesOf(96, 160))
		c.open(2)
		start := c.nodes[2].Status().Start
		c.crash(2)
		c.open(2)
		c.stop(2)
		damage(c.disks[2], nil, "flip", suffix(".snapshot"), half)
		damage(c.disks[2], nil, "flip", first(".wal"), bytesOf(8, 48))
		c.open(2)
		if s := c.nodes[2].Status(); !s.Repair.On || s.Start <= start {
			t.Fatalf("start %d after %d, repair %+v", s.Start, start, s.Repair)
		}
		c.open(1)
		c.open(3)
		c.within(20*time.Second, "the node counts", func() bool { return !c.nodes[2].Status().Repair.On })
		c.applied(base.commands, all3...)
		c.stop(2)
		c.open(2)
		if c.nodes[2].Status().Repair.On {
			t.Error("it repairs itself again after a clean restart")
		}
	})
}

// wrecked is a cluster at rest: its disks, and as they were some time before.
type wrecked struct {
	disks, earlier map[raft.NodeID]*disk.Memory
	commands       []string
}

// manySnapshots lets nodes repair themselves, and take snapshots and begin segments often.
func manySnapshots(config *balsa.Config) {
	config.Repair = true
	config.SegmentBytes, config.SnapshotBytes = wal.MinSegmentBytes, 1500
}

func newWrecked(t *testing.T, n int) (d wrecked) {
	d = wrecked{disks: map[raft.NodeID]*disk.Memory{}, earlier: map[raft.NodeID]*disk.Memory{}}
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, n)
		defer c.close()
		c.change = manySnapshots
		for id := range c.peers {
			c.open(id)
		}
		d.commands = c.busy(50)
		for id := range c.peers {
			d.earlier[id] = c.disks[id].Clone()
		}
		d.commands = append(d.commands, c.busy(60)...)
		for id := range c.peers {
			c.stop(id)
			d.disks[id] = c.disks[id].Clone()
			d.disks[id].Plant("next.wal.tmp", []byte(strings.Repeat("left by a crash ", 100)))
		}
	})
	return d
}

// run runs a test with copies of the disks.
func (d wrecked) run(t *testing.T, n int, test func(*cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, n)
		defer c.close()
		c.change = manySnapshots
		for id := range c.disks {
			c.disks[id] = d.disks[id].Clone()
		}
		test(c)
	})
}

// busy proposes so many commands, waits until all have applied them, and returns them.
func (c *cluster) busy(count int) (commands []string) {
	leader := c.leader()
	before := c.machines[leader].applied()
	for i := range count {
		commands = append(commands, fmt.Sprintf("command %d of %d", len(before)+i, count))
	}
	for _, command := range commands {
		for {
			_, err := c.propose(leader, command)
			if err == nil {
				break
			}
			if !errors.Is(err, balsa.ErrOverloaded) { // it waits for a snapshot
				c.t.Fatal(err)
			}
			advance(50 * time.Millisecond)
		}
	}
	ids := make([]raft.NodeID, 0, len(c.nodes))
	for id := range c.nodes {
		ids = append(ids, id)
	}
	c.applied(append(before, commands...), ids...)
	advance(time.Second) // what is saved beside it
	return commands
}

// damage damages part of some files of a disk at rest. What an error of reading them stands for is
// returned as what to do with the configuration: nothing, as the disk itself is intercepted.
func damage(m, earlier *disk.Memory, kind string, files func(*disk.Memory) []string,
	part func([]byte) (int, int)) func(*balsa.Config) {
	names := files(m)
	if len(names) == 0 {
		panic("nothing to damage")
	}
	for _, name := range names {
		damageFile(m, earlier, kind, name, part)
	}
	trouble := map[string]error{"EIO": errors.New("input/output error"), "permission": fs.ErrPermission}[kind]
	if trouble != nil {
		m.Intercept(func(c disk.Call) error {
			if slices.Contains(names, c.Name) && (c.Operation == disk.OpOpen || c.Operation == disk.OpRead) {
				return trouble
			}
			return nil
		})
	}
	return nil
}

func damageFile(m, earlier *disk.Memory, kind, name string, part func([]byte) (int, int)) {
	content := m.Read(name)
	from, to := part(content)
	put := func(b []byte) {
		copy(content[from:to], b)
		m.Plant(name, content)
	}
	switch kind {
	case "flip":
		m.Flip(name, 8*int64((from+to)/2)+3)
	case "zero":
		m.Zero(name, int64(from), int64(to))
	case "truncate":
		m.Plant(name, content[:from])
	case "stale": // as it was before; nothing had been written to a file that was not there
		old := make([]byte, len(content))
		if earlier != nil {
			copy(old, earlier.Read(name))
		}
		put(old[from:to])
	case "duplicate": // of what the file begins with
		put(slices.Clone(content[:to-from]))
	case "misdirect": // of a file that has nothing to do with this one
		put(slices.Repeat([]byte("written elsewhere"), 1+(to-from)/17))
	case "lose":
		m.Delete(name)
	}
}

func suffix(part string) func(*disk.Memory) []string {
	return func(m *disk.Memory) (found []string) {
		for _, name := range m.Names() {
			if strings.Contains(name, part) && !strings.HasSuffix(name, ".tmp") {
				found = append(found, name)
			}
		}
		return found
	}
}

func named(name string) func(*disk.Memory) []string {
	return func(*disk.Memory) []string { return []string{name} }
}

func first(part string) func(*disk.Memory) []string {
	return func(m *disk.Memory) []string { return suffix(part)(m)[:1] }
}

func last(part string) func(*disk.Memory) []string {
	return func(m *disk.Memory) []string {
		found := suffix(part)(m)
		return found[len(found)-1:]
	}
}

func middle(part string) func(*disk.Memory) []string {
	return func(m *disk.Memory) []string {
		found := suffix(part)(m)
		return found[len(found)/2 : len(found)/2+1]
	}
}

func bytesOf(from, to int) func([]byte) (int, int) {
	return func([]byte) (int, int) { return from, to }
}

func half(content []byte) (int, int) { return len(content) / 2, len(content)/2 + 16 }
func end(content []byte) (int, int)  { return len(content) - 12, len(content) }

// batches returns where the batches of a segment begin, and where the last one ends (package wal).
func batches(content []byte) (at []int) {
	next := 64
	for next+32 <= len(content) {
		at = append(at, next)
		length := int(binary.LittleEndian.Uint32(content[next+8:]))
		if length == 0 {
			break
		}
		next += length
	}
	return at
}

// sealed is the segment with the last record. A seal for which there was no room began another one.
func sealed(m *disk.Memory) []string {
	found := suffix(".wal")(m)
	for i := len(found) - 1; i > 0; i-- {
		if len(batches(m.Read(found[i]))) > 2 {
			return found[i : i+1]
		}
	}
	return found[:1]
}

// lastRecord is the last batch but one: the last is the seal, or the mark that the log goes on in the next
// segment.
func lastRecord(content []byte) (int, int) {
	at := batches(content)
	return at[len(at)-3], at[len(at)-2]
}

// tail is a part of the zeros behind what was written.
func tail(content []byte) (int, int) { return len(content) - 64, len(content) - 8 }
