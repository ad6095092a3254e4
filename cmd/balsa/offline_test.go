package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wal"
	"balsa/wire"
)

// sessionEntry is the command of an entry of a session: version 1, a kind, and what that needs.
func sessionEntry(kind replica.OnceKind, numbers []uint64, rest ...byte) []byte {
	b := []byte{1, byte(kind)}
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return append(b, rest...)
}

// founder makes a data directory as a node leaves it, the same bytes every time.
type founder struct {
	t       *testing.T
	log     *wal.Log
	keeper  *snapshot.Keeper
	machine *replica.Machine
	index   raft.Index
	members raft.Configuration
}

// founded is the cluster of foundData.
func founded() raft.ClusterID { return raft.ClusterID{0xc1, 0x05, 0x7e, 0x12} }

const hour = uint64(3600e9)

// foundData makes a directory with a log of several segments and two snapshots that it joins.
func foundData(t *testing.T, path string) {
	t.Helper()
	dir, err := disk.OS(path)
	must(t, err)
	f := &founder{t: t, machine: replica.NewMachine(kv.New()),
		members: raft.NewConfiguration(map[raft.NodeID]string{1: "127.0.0.1:7001", 2: "127.0.0.1:7002"})}
	f.members.Members[0].Incarnation = 0xbeef
	cluster := founded()
	f.log, _, err = wal.Open(dir, wal.Options{SegmentBytes: 1024, Identity: wal.Identity{Cluster: cluster,
		Node: 1, Incarnation: 0xbeef, Bootstrap: f.members}})
	must(t, err)
	store, _, err := snapshot.Open(dir, snapshot.Options{Cluster: cluster, ChunkBytes: 64})
	must(t, err)
	f.keeper = snapshot.NewKeeper(store)
	f.write()
	must(t, f.log.Seal())
	must(t, f.log.Close())
	must(t, dir.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *founder) write() {
	one := raft.HardState{Term: 1, Vote: 1}
	must(f.t, f.log.Append(&one, nil))
	f.append(1, raft.NoOp, nil)
	f.append(1, raft.Normal, kv.Put("greeting", []byte("hello world")))
	f.append(1, raft.Normal, kv.PutTTL("soon", []byte("gone"), int64(hour)))
	f.append(1, raft.Session, sessionEntry(replica.OpenSession, []uint64{hour}))
	f.append(1, raft.Session, sessionEntry(replica.InSession, []uint64{4, 1}, kv.Increment("n", 5)...))
	f.append(1, raft.Session, sessionEntry(replica.UnderKey, []uint64{hour}, append([]byte("\x04once"),
		kv.Delete("greeting")...)...))
	f.append(1, raft.Session, sessionEntry(5, nil))
	f.append(1, raft.Normal, kv.Put("\xff\x00", bytes.Repeat([]byte("long "), 40)))
	f.save()
	must(f.t, f.log.Append(nil, []raft.Entry{{Term: 1, Index: 9, Time: 9e9, Kind: raft.Normal,
		Command: kv.Put("lost", []byte("to the next term"))}}))
	two := raft.HardState{Term: 2}
	must(f.t, f.log.Append(&two, nil, raft.Acquaintance{Node: 2, Incarnation: 0xabc, Start: 3}))
	f.append(2, raft.NoOp, nil)
	f.append(2, raft.Normal, []byte("SET text <of people>"))
	f.append(2, raft.Normal, []byte("\x07rubbish"))
	f.append(2, raft.Session, sessionEntry(replica.CloseSession, []uint64{4}))
	f.save()
	must(f.t, f.log.Release(8))
	f.append(2, raft.Normal, kv.Increment("n", -2))
	must(f.t, f.log.Append(nil, []raft.Entry{{Term: 2, Index: 14, Time: 14e9, Kind: raft.ConfigurationChange,
		Command: wire.AppendConfiguration(nil, f.members)}}))
}

// append appends and applies an entry, a second after the one before.
func (f *founder) append(term raft.Term, kind raft.Kind, command []byte) {
	f.t.Helper()
	f.index++
	e := raft.Entry{Term: term, Index: f.index, Time: raft.Time(f.index) * 1e9, Kind: kind, Command: command}
	must(f.t, f.log.Append(nil, []raft.Entry{e}))
	must(f.t, replica.Apply{Entries: []raft.Entry{e}}.Perform(f.machine).Err)
}

// save makes a snapshot of what was applied.
func (f *founder) save() {
	f.t.Helper()
	s := raft.Snapshot{Last: raft.EntryID{Term: 1, Index: f.index}, Time: raft.Time(f.index) * 1e9,
		Members: f.members}
	if f.index > 8 {
		s.Last.Term = 2
	}
	captured := replica.Capture{Snapshot: s}.Perform(f.machine)
	must(f.t, captured.Err)
	_, err := f.keeper.Save(s, captured.Image)
	must(f.t, err)
}

// saveEmpty makes a snapshot of an empty machine.
func (f *founder) saveEmpty() {
	f.t.Helper()
	s := raft.Snapshot{Last: raft.EntryID{Term: 1, Index: f.index},
		Members: raft.NewConfiguration(map[raft.NodeID]string{1: "127.0.0.1:7001"})}
	var image bytes.Buffer
	_, _ = image.Write([]byte{2, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // no sessions, no keys
	view, err := kv.New().Snapshot()
	must(f.t, err)
	_, err = view.WriteTo(&image)
	must(f.t, err)
	_, err = f.keeper.Save(s, &image)
	must(f.t, err)
}

// contentOf is every file of a directory, so that a change shows.
func contentOf(t *testing.T, path string) string {
	t.Helper()
	entries, err := os.ReadDir(path)
	must(t, err)
	var all strings.Builder
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(path, e.Name()))
		must(t, err)
		info, err := e.Info()
		must(t, err)
		fmt.Fprintf(&all, "%s %v %x\n", e.Name(), info.ModTime(), b)
	}
	return all.String()
}

const (
	olderSnapshot = "00000000000000000008-t00000000000000000001.snapshot"
	newerSnapshot = "00000000000000000012-t00000000000000000002.snapshot"
)

// The three commands on a directory of a node, as a person sees it. The transcript is rewritten by
// go test ./cmd/balsa -run TestOffline -update.
func TestOfflineTranscript(t *testing.T) {
	golden, err := filepath.Abs("testdata/offline.txt")
	must(t, err)
	t.Chdir(t.TempDir())
	foundData(t, "data")
	before := contentOf(t, "data")
	var got strings.Builder
	for _, line := range []string{
		"verify data", "verify data -o plain", "verify data -o json",
		"log dump data", "log dump data --from 10 --to 11 -o plain", "log dump data -o json",
		"log dump data --all", "log dump data --all -o json --from 14",
		"snapshot inspect data/" + newerSnapshot, "snapshot inspect data/" + olderSnapshot + " -o json",
	} {
		transcribe(&got, line, command(t, "", strings.Fields(line)...))
	}
	holdGolden(t, golden, got.String())
	if contentOf(t, "data") != before {
		t.Error("something in the directory has changed")
	}
}

// transcribe writes a command and what it answered.
func transcribe(to *strings.Builder, line string, r result) {
	fmt.Fprintf(to, "$ balsa %s\n%s", line, r.out)
	for said := range strings.Lines(r.err) {
		if !strings.HasPrefix(said, "read ") { // how long it took differs
			fmt.Fprintf(to, "2> %s", said)
		}
	}
	fmt.Fprintf(to, "status %d\n\n", r.status)
}

// holdGolden holds a transcript against the one that is kept, or renews that.
func holdGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(golden, []byte(got), 0o600))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
