package main

import (
	"hash/crc32"
	"io"
	"math/rand"
	"runtime"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
)

// incompressible is a state of so many bytes that nothing makes smaller.
type incompressible int64

func (n incompressible) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.LimitReader(rand.New(rand.NewSource(1)), int64(n)))
}

// held is how many bytes are in use now.
func held() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func keeperAt(t *testing.T) *snapshot.Keeper {
	t.Helper()
	dir, err := disk.OS(t.TempDir())
	must(t, err)
	s, _, err := snapshot.Open(dir, snapshot.Options{Cluster: founded(),
		Codecs: []snapshot.Codec{compression{}}})
	must(t, err)
	k := snapshot.NewKeeper(s)
	t.Cleanup(func() {
		must(t, k.Close())
		must(t, dir.Close())
	})
	return k
}

// What is sent and received of a snapshot takes the memory of a few chunks, however large the state is.
func TestASnapshotTravelsInLittleMemory(t *testing.T) {
	const state, bound = 48 << 20, 8 << 20
	from, to := keeperAt(t), keeperAt(t)
	s, err := from.Save(raft.Snapshot{Last: raft.EntryID{Term: 1, Index: 5}, Time: 1,
		Members: raft.NewConfiguration(map[raft.NodeID]string{1: "a:1"})}, incompressible(state))
	must(t, err)
	before, most, at := held(), int64(0), uint64(0)
	buffer := make([]byte, 256<<10)
	for n := 0; at < s.Size; n++ {
		read, err := from.Chunk(s.Last, at, buffer)
		must(t, err)
		data := buffer[:read]
		next, _, err := to.Store(raft.InstallSnapshot{Last: s.Last, Size: s.Size, Offset: at, Data: data,
			Checksum: crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))})
		must(t, err)
		if next != at+uint64(read) {
			t.Fatalf("at %d it goes on at %d", at, next)
		}
		if at = next; n%20 == 0 {
			most = max(most, held()-before)
		}
	}
	if list := to.List(); len(list) != 1 || s.Size < state || most > bound {
		t.Errorf("%d snapshots; %d bytes took %d KiB", len(list), s.Size, most>>10)
	}
}
