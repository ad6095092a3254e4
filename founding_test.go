package balsa_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
	"balsa/wal"
)

// opened opens a disk whose power is on again.
func opened(t *testing.T, m *disk.Memory) disk.Dir {
	t.Helper()
	dir, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// succeed opens a node with a disk that was made by Restore or Recover, in a cluster of its own.
func (c *cluster) succeed(id raft.NodeID, m *disk.Memory) {
	c.t.Helper()
	c.disks[id] = m
	if err := c.tryOpen(id, func(config *balsa.Config) { config.Peers = nil }); err != nil {
		c.t.Fatalf("open what was made: %v", err)
	}
	if leader := c.leader(id); leader != id {
		c.t.Fatalf("node %d leads", leader)
	}
}

var founder = balsa.Founder{ID: 7, Address: "node7:1", API: "http://127.0.0.1:8007"}

// What a backup holds is there in the cluster that is made of it: the state, the sessions, the log time. It
// is another cluster.
func TestRestoreFoundsANewCluster(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.leader()
		c.mustPropose(leader, numbered(1, 20)...)
		session, err := c.nodes[leader].NewSession(c.t.Context(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		first, err := session.ProposeAs(c.t.Context(), 1, []byte("once"))
		if err != nil {
			t.Fatal(err)
		}
		b, file := c.backupOf(leader, balsa.ReadMode{})
		old, want := c.nodes[leader].Status(), c.machines[leader].applied()
		for _, id := range all3 {
			c.stop(id)
		}
		advance(time.Minute)
		r, err := viewed(t, file)
		if err != nil {
			t.Fatal(err)
		}
		m := disk.NewMemory()
		dir := opened(t, m)
		made, err := balsa.Restore(dir, founder, r)
		if err != nil || made.Last != b.Last || made.Cluster == old.Cluster {
			t.Fatalf("%+v, %v", made, err)
		}
		if _, err := balsa.Restore(dir, founder, r); !errors.Is(err, balsa.ErrNotEmpty) {
			t.Errorf("once more: %v", err)
		}
		_ = dir.Close()
		c.machines = map[raft.NodeID]*recorder{}
		c.succeed(7, m)
		if got := c.machines[7].applied(); !slices.Equal(got, want) {
			t.Errorf("it holds %v", got)
		}
		s := c.nodes[7].Status()
		if s.Cluster != made.Cluster || s.Term <= b.Last.Term || len(s.Peers) != 0 {
			t.Errorf("%+v", s)
		}
		again, err := c.nodes[7].Resume(session.ID(), 1).ProposeAs(c.t.Context(), 1, []byte("once"))
		if err != nil || !again.Replayed || !bytes.Equal(again.Result, first.Result) {
			t.Errorf("the session: %+v, %v", again, err)
		}
		c.mustPropose(7, "later")
		later, _ := c.backupOf(7, balsa.ReadMode{})
		if later.Time <= b.Time || len(later.Members.Voters) != 1 {
			t.Errorf("%v after %v, %+v", later.Time, b.Time, later.Members)
		}
		if _, err := viewed(t, file); err != nil {
			t.Errorf("the backup has changed: %v", err)
		}
	})
}

// commandsIn are the commands of a recorder as it writes them.
type commandsIn []string

func (s commandsIn) WriteTo(to io.Writer) (int64, error) {
	b := []byte{2, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // no sessions, no keys
	for _, command := range s {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(command))), command...)
	}
	n, err := to.Write(b)
	return int64(n), err
}

// remnant is the disk of node 2 of three: a snapshot up to entry 3, if it is to have one, and entries behind
// it, of which one has changed the members.
func remnant(t *testing.T, withSnapshot bool) *disk.Memory {
	t.Helper()
	m := disk.NewMemory()
	dir := opened(t, m)
	members := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "b:1", 3: "c:1"})
	members.Version = 1
	id := wal.Identity{Node: 2, Cluster: raft.ClusterID{0xab, 9}, Incarnation: 5, Bootstrap: members}
	log, _, err := wal.Open(dir, wal.Options{Identity: id})
	if err != nil {
		t.Fatal(err)
	}
	var entries []raft.Entry
	for i := raft.Index(1); i <= 8; i++ {
		entries = append(entries, raft.Entry{Term: 2, Index: i, Time: raft.Time(i), Kind: raft.Normal,
			Command: fmt.Append(nil, "command ", i)})
	}
	more := members.Clone()
	more.Members, more.Learners = append(more.Members, raft.Member{ID: 4, Address: "d:1"}), []raft.NodeID{4}
	entries[5].Kind, entries[5].Command = raft.ConfigurationChange, more.AppendTo(nil)
	must(t, log.Append(&raft.HardState{Term: 4, Vote: 3}, entries))
	if withSnapshot {
		store, _, err := snapshot.Open(dir, snapshot.Options{Cluster: id.Cluster})
		must(t, err)
		_, err = snapshot.NewKeeper(store).Save(
			raft.Snapshot{Last: entries[2].ID(), Time: 3, Members: members},
			commandsIn{"command 1", "command 2", "command 3"})
		must(t, err)
	}
	must(t, errors.Join(log.Seal(), log.Close(), dir.Close()))
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var survivor = balsa.Founder{ID: 2, Address: "node2:1"}

// All that a server has becomes the state of the new cluster, also what was perhaps never committed, but for
// the members; the old files stay; and its old cluster has nothing to do with it any more.
func TestRecoverKeepsAllEntries(t *testing.T) {
	for _, withSnapshot := range []bool{false, true} {
		inBubble(t, 3, func(c *cluster) {
			m := remnant(t, withSnapshot)
			dir := opened(t, m)
			had, err := balsa.Examine(dir, nil)
			if err != nil || had.Last != (raft.EntryID{Term: 2, Index: 8}) || had.Term != 4 ||
				len(had.Members.Learners) != 1 || (had.Snapshot.Index == 3) != withSnapshot {
				t.Fatalf("%+v, %v", had, err)
			}
			if _, err := balsa.Recover(dir, balsa.Founder{ID: 1, Address: "a:1"}); !errors.Is(err,
				wal.ErrForeign) {
				t.Errorf("of another node: %v", err)
			}
			made, err := balsa.Recover(dir, survivor)
			if err != nil || made.Last != had.Last || made.Cluster == had.Cluster || made.Incarnation == 0 {
				t.Fatalf("%+v, %v", made, err)
			}
			for _, name := range []string{"before-ab090000-identity.1", "before-ab090000-0000000001.wal"} {
				if !slices.Contains(m.Names(), name) {
					t.Errorf("%s is not there: %v", name, m.Names())
				}
			}
			log, err := wal.Inspect(dir)
			if err != nil || len(log.Peers) > 0 || log.State.Vote != raft.None || log.State.Term != 4 {
				t.Errorf("%+v, %v", log, err)
			}
			for _, e := range log.Entries {
				if e.Kind == raft.ConfigurationChange {
					t.Errorf("entry %v changes the members", e.ID())
				}
			}
			_ = dir.Close()
			c.succeed(2, m)
			want := slices.Delete(numbered(1, 8), 5, 6)
			c.applied(want, 2)
			if s := c.nodes[2].Status(); s.Term != 5 || s.Cluster != made.Cluster || s.Commit < 9 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// cuts runs work on copies of a disk with the power cut in the middle of each of its operations, and hands
// what is left to check.
func cuts(t *testing.T, of *disk.Memory, work func(disk.Dir) error, check func(m *disk.Memory, at string)) {
	t.Helper()
	whole := of.Clone()
	before := whole.Calls()
	must(t, work(opened(t, whole)))
	operations := whole.Calls() - before
	if operations < 20 {
		t.Fatalf("only %d operations", operations)
	}
	for n := range operations {
		for k, keep := range []disk.Keep{disk.KeepNone, disk.KeepAll, disk.KeepRandom(uint64(n)),
			disk.KeepRandom(uint64(n) + 1e6)} {
			m := of.Clone()
			begin, what := m.Calls(), ""
			m.Intercept(func(c disk.Call) error {
				if c.Number-begin == n+1 {
					what = fmt.Sprint(c.Operation, " ", c.Name)
					return disk.ErrPowerCut
				}
				return nil
			})
			_ = work(opened(t, m))
			m.Intercept(nil)
			m.Crash(keep)
			check(m, fmt.Sprintf("operation %d, %s, kept %d", n, what, k))
		}
	}
}

// Wherever the power is cut, what is left of a restore is refused or whole, and the same command once more
// makes it whole.
func TestRestoreAcrossPowerCuts(t *testing.T) {
	var file bytes.Buffer
	members := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1"})
	last := raft.EntryID{Term: 3, Index: 9}
	_, err := snapshot.Stream(&file, snapshot.Options{Cluster: raft.ClusterID{1}},
		raft.Snapshot{Last: last, Time: 1, Members: members}, commandsIn(numbered(1, 9)))
	must(t, err)
	restore := func(dir disk.Dir) error {
		r, err := viewed(t, file.Bytes())
		must(t, err)
		_, err = balsa.Restore(dir, founder, r)
		return err
	}
	unfinished, whole := 0, 0
	cuts(t, disk.NewMemory(), restore, func(m *disk.Memory, at string) {
		dir := opened(t, m)
		had, err := balsa.Examine(dir, nil)
		switch {
		case err == nil && had.Last == last:
			whole++
		case errors.Is(err, balsa.ErrUnfinished):
			unfinished++
			if err := restore(dir); err != nil {
				t.Errorf("%s: once more: %v", at, err)
			}
		case len(m.Names()) > 0:
			t.Errorf("%s: %+v, %v, %v", at, had, err, m.Names())
		}
		if had, err := balsa.Examine(dir, nil); len(m.Names()) > 0 && (err != nil || had.Last != last) {
			t.Errorf("%s: in the end %+v, %v", at, had, err)
		}
	})
	if unfinished < 50 || whole == 0 {
		t.Errorf("%d unfinished, %d whole", unfinished, whole)
	}
}

// Wherever the power is cut, the directory is the old one, or refused, or the new one, and nothing of it is
// lost: the same command goes on.
func TestRecoverAcrossPowerCuts(t *testing.T) {
	last, old := raft.EntryID{Term: 2, Index: 8}, raft.ClusterID{0xab, 9}
	recover := func(dir disk.Dir) error {
		_, err := balsa.Recover(dir, survivor)
		return err
	}
	asBefore, unfinished, whole := 0, 0, 0
	before := remnant(t, true)
	cuts(t, before, recover, func(m *disk.Memory, at string) {
		dir := opened(t, m)
		had, err := balsa.Examine(dir, nil)
		switch {
		case err == nil && had.Cluster == old:
			asBefore++
		case err == nil:
			whole++
		case errors.Is(err, balsa.ErrUnfinished):
			unfinished++
		default:
			t.Errorf("%s: %v, %v", at, err, m.Names())
		}
		if err != nil || had.Cluster == old {
			if err := recover(dir); err != nil {
				t.Errorf("%s: once more: %v, %v", at, err, m.Names())
			}
		}
		had, err = balsa.Examine(dir, nil)
		if err != nil || had.Last != last || had.Cluster == old || len(had.Members.Voters) != 1 {
			t.Errorf("%s: in the end %+v, %v", at, had, err)
		}
		for _, name := range before.Names() {
			if content := m.Read("before-ab090000-" + name); !bytes.Equal(content, before.Read(name)) {
				t.Errorf("%s: the old %s is lost", at, name)
			}
		}
		for _, name := range m.Names() {
			if strings.HasPrefix(name, "recovered-") || strings.HasSuffix(name, ".unfinished") {
				t.Errorf("%s: %s is left", at, name)
			}
		}
	})
	if asBefore == 0 || unfinished < 50 || whole == 0 {
		t.Errorf("%d as before, %d unfinished, %d whole", asBefore, unfinished, whole)
	}
}

// A directory whose making was cut short is refused by Open, which says what to do.
func TestOpenRefusesWhatIsUnfinished(t *testing.T) {
	for _, mark := range []string{"restore.unfinished", "recover-1.unfinished", "recover-3.unfinished"} {
		m := remnant(t, true)
		m.Plant(mark, []byte("before-x-"))
		_, err := balsa.Open(balsa.Config{ID: 2, Disk: opened(t, m), StateMachine: &recorder{}})
		if !errors.Is(err, balsa.ErrUnfinished) || !strings.Contains(err.Error(), "once more") {
			t.Errorf("%s: %v", mark, err)
		}
	}
}

// What a damaged directory has lost is not known, also when its log was set aside and it repairs itself: it
// looks sound then, and what is left may be a snapshot of long ago.
func TestADirectoryThatRepairsItselfIsNotRecovered(t *testing.T) {
	m := remnant(t, true)
	dir := opened(t, m)
	defer func() { must(t, dir.Close()) }()
	_, err := wal.Repair(dir, wal.Options{Identity: wal.Identity{Node: 2}}, raft.EntryID{Term: 2, Index: 3})
	must(t, err)
	before := m.Names()
	if had, err := balsa.Examine(dir, nil); !errors.Is(err, wal.ErrCorrupt) {
		t.Errorf("examined: %+v, %v", had, err)
	}
	if made, err := balsa.Recover(dir, survivor); !errors.Is(err, wal.ErrCorrupt) {
		t.Errorf("recovered: %+v, %v", made, err)
	}
	if after := m.Names(); !slices.Equal(after, before) {
		t.Errorf("the files are %v, and were %v", after, before)
	}
}
