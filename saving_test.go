package balsa

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
)

// labour is an image of which each piece takes a while to be made.
type labour struct{ pieces int }

func (l labour) WriteTo(w io.Writer) (n int64, err error) {
	for range l.pieces {
		<-time.After(time.Millisecond)
		m, err := w.Write(make([]byte, pieceBytes))
		if n += int64(m); err != nil {
			return n, err
		}
	}
	return n, nil
}

// A snapshot has a third of the time at most, in small portions, and ends when the node does.
func TestASnapshotIsWrittenAtAnEasyPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var hurry atomic.Bool
		n, err := paced{image: labour{1000}, hurry: &hurry}.WriteTo(io.Discard)
		if took := time.Since(began); n != 1000*pieceBytes || err != nil || took != 3*time.Second {
			t.Errorf("a second of work: %d bytes, %v, after %v", n, err, took)
		}
		began = time.Now()
		hurry.Store(true)
		n, err = paced{image: labour{1000}, hurry: &hurry}.WriteTo(io.Discard)
		if took := time.Since(began); n != 1000*pieceBytes || err != nil || took != time.Second {
			t.Errorf("a second of work that is waited for: %d bytes, %v, after %v", n, err, took)
		}
		began = time.Now()
		dismissed := make(chan struct{})
		time.AfterFunc(500*time.Millisecond, func() { close(dismissed) })
		_, err = paced{labour{1000}, dismissed, &hurry}.WriteTo(io.Discard)
		if took := time.Since(began); !errors.Is(err, errDismissed) || took > 510*time.Millisecond {
			t.Errorf("dismissed after half a second: %v, after %v", err, took)
		}
	})
}

// What an earlier process has left of a snapshot is verified in one go, as far as its sender is concerned;
// but a node that ends waits for no more than a small piece of it.
func TestResumingEndsWithTheNode(t *testing.T) {
	const size = 32 << 20
	from := kept(t, disk.NewMemory())
	file, err := from.Save(raft.Snapshot{Last: raft.EntryID{Term: 1, Index: 10},
		Members: raft.NewConfiguration(map[raft.NodeID]string{1: "a:1"})}, labour{size / pieceBytes})
	if err != nil {
		t.Fatal(err)
	}
	for _, ends := range []bool{false, true} {
		m := disk.NewMemory()
		storing := &snapshots{Keeper: kept(t, m), logger: slog.New(slog.DiscardHandler)}
		next := uint64(0)
		for next < size/2 {
			next = stored(t, storing, from, file, next)
		}
		dismissed := make(chan struct{})
		if ends {
			close(dismissed)
		}
		m.Kill()
		storing = &snapshots{Keeper: kept(t, m), logger: storing.logger, dismissed: dismissed}
		again := stored(t, storing, from, file, next)
		if ends && (again == 0 || again > next/3) || !ends && again < next-1<<20 {
			t.Errorf("%d bytes were there, and after one message byte %d is wanted; the node ends: %v", next,
				again, ends)
		}
	}
}

// That a snapshot finds no room is told once, though how much is missing changes all the time; and again
// after another reason, and after a snapshot that was taken.
func TestAFullDiskIsToldOnce(t *testing.T) {
	from, m := kept(t, disk.NewMemory()), disk.NewMemory()
	var files []raft.Snapshot
	for _, last := range []raft.Index{10, 20} {
		file, err := from.Save(raft.Snapshot{Last: raft.EntryID{Term: 1, Index: last},
			Members: raft.NewConfiguration(map[raft.NodeID]string{1: "a:1"})}, labour{4})
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	absurd := files[0]
	absurd.Size = math.MaxUint64
	var told bytes.Buffer
	to := &snapshots{Keeper: kept(t, m), logger: slog.New(slog.NewTextHandler(&told, nil))}
	refused := func(file raft.Snapshot, why string, inAll int) {
		t.Helper()
		used := m.Used()
		for free := range int64(20) {
			m.Limit(used + 4096*(free+1))
			if next := stored(t, to, from, file, 0); next != 0 {
				t.Fatalf("next %d", next)
			}
		}
		log := told.String()
		if n := strings.Count(log, "level=WARN"); n != inAll || !strings.Contains(log, why) {
			t.Fatalf("told %d times, want %d:\n%s", n, inAll, log)
		}
	}
	refused(files[0], "make room for", 1)
	refused(absurd, "a snapshot of 18446744073709551615 bytes", 2)
	refused(files[0], "make room for", 3)
	m.Limit(0)
	for next := uint64(0); next < files[0].Size; {
		next = stored(t, to, from, files[0], next)
	}
	refused(files[1], "make room for", 4)
}

func kept(t *testing.T, m *disk.Memory) *snapshot.Keeper {
	t.Helper()
	dir, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := snapshot.Open(dir, snapshot.Options{Cluster: raft.ClusterID{1}})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot.NewKeeper(s)
}

// stored sends the next bytes of a snapshot, and returns what is wanted then.
func stored(t *testing.T, to *snapshots, from *snapshot.Keeper, file raft.Snapshot, at uint64) uint64 {
	t.Helper()
	data := make([]byte, 256<<10)
	n, err := from.Chunk(file.Last, at, data)
	if err != nil {
		t.Fatal(err)
	}
	data = data[:n]
	next, _, err := to.Store(raft.InstallSnapshot{Last: file.Last, Size: file.Size, Offset: at, Data: data,
		Checksum: crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))})
	if err != nil {
		t.Fatal(err)
	}
	return next
}
