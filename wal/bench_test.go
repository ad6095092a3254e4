package wal

import (
	"fmt"
	"testing"
	"time"

	"balsa/disk"
	"balsa/raft"
)

// onDisk opens a log in a directory of the operating system.
func onDisk(b *testing.B, path string) (*Log, Recovered, disk.Dir) {
	b.Helper()
	dir, err := disk.OS(path)
	ok(b, err)
	l, r, err := Open(dir, Options{Identity: identity()})
	ok(b, err)
	return l, r, dir
}

// entriesOf makes entries from an index on.
func entriesOf(first raft.Index, count, size int) []raft.Entry {
	entries := make([]raft.Entry, count)
	for i := range entries {
		entries[i] = entry(1, first+raft.Index(i), size)
	}
	return entries
}

// BenchmarkAppend measures one Append with its fdatasync on a real disk; set TMPDIR to choose which.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ count, size int }{{1, 128}, {1, 4096}, {32, 128}, {256, 128}, {1, 1 << 20}} {
		b.Run(fmt.Sprintf("%d×%d", c.count, c.size), func(b *testing.B) {
			l, _, dir := onDisk(b, b.TempDir())
			entries := entriesOf(1, c.count, c.size)
			b.SetBytes(int64(c.count * c.size))
			b.ReportAllocs()
			beside := prepareBeside(b, l)
			for b.Loop() {
				ok(b, l.Append(nil, entries))
				beside.exchange(l)
				for i := range entries {
					entries[i].Index += raft.Index(c.count)
				}
			}
			beside.end(l)
			ok(b, l.Close())
			ok(b, dir.Close())
		})
	}
}

// preparer prepares segments beside a log, as a node does.
type preparer struct{ unprepared, prepared chan *Preparation }

func prepareBeside(b *testing.B, l *Log) preparer {
	p := preparer{make(chan *Preparation, 1), make(chan *Preparation, 1)}
	go func() {
		defer close(p.prepared)
		for next := range p.unprepared {
			for done := false; !done; {
				began := time.Now()
				if done, _ = next.Step(); !done {
					rest(max(time.Millisecond, time.Since(began)))
				}
			}
			p.prepared <- next
		}
	}()
	return p
}

func rest(d time.Duration) { <-time.After(d) }

// exchange takes what is prepared and gives out what is to be prepared.
func (p preparer) exchange(l *Log) {
	select {
	case ready := <-p.prepared:
		l.Adopt(ready)
	default:
	}
	if next := l.Prepare(); next != nil {
		p.unprepared <- next
	}
}

func (p preparer) end(l *Log) {
	close(p.unprepared)
	for ready := range p.prepared {
		l.Adopt(ready)
	}
}

// BenchmarkEncode is Append without a disk.
func BenchmarkEncode(b *testing.B) {
	entries := entriesOf(1, 32, 128)
	buffer := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		buffer = batch{number: 1, entries: entries}.append(buffer[:0], place{1, 2, 4096})
	}
	b.SetBytes(int64(len(buffer)))
}

// BenchmarkRecover measures Open of a log on a real disk, warm in the cache of the operating system.
func BenchmarkRecover(b *testing.B) {
	for _, c := range []struct{ entries, perBatch int }{
		{100_000, 1}, {100_000, 32}, {1_000_000, 32}, {1_000_000, 256},
	} {
		b.Run(fmt.Sprintf("%d_by_%d", c.entries, c.perBatch), func(b *testing.B) {
			path := b.TempDir()
			fill(b, path, c.entries, c.perBatch, 32, 0)
			b.ReportAllocs()
			for b.Loop() {
				l, r, dir := onDisk(b, path)
				if len(r.Entries) != c.entries {
					b.Fatalf("%d entries", len(r.Entries))
				}
				ok(b, l.Close())
				ok(b, dir.Close())
			}
		})
	}
}

// BenchmarkRecoverBehindARelease measures Open of a log of 1,000,000 entries of which the first 900,000 were
// released: it reads the segments from the one on in which the next entry stands.
func BenchmarkRecoverBehindARelease(b *testing.B) {
	for _, perBatch := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("by_%d", perBatch), func(b *testing.B) {
			path := b.TempDir()
			fill(b, path, 1_000_000, perBatch, 128, 900_000)
			b.ReportAllocs()
			for b.Loop() {
				l, r, dir := onDisk(b, path)
				if len(r.Entries) != 100_000 || r.Before.Index != 900_000 {
					b.Fatalf("%d entries behind %v", len(r.Entries), r.Before)
				}
				b.ReportMetric(float64(l.Bytes())/(1<<20), "MiB")
				ok(b, l.Close())
				ok(b, dir.Close())
			}
		})
	}
}

// unsynced is a directory whose files are not synced: for filling a log that is only to be read.
type unsynced struct{ disk.Dir }

type unsyncedFile struct{ disk.File }

func (u unsynced) Sync() error     { return nil }
func (u unsyncedFile) Sync() error { return nil }

func (u unsynced) Open(name string) (disk.File, error) {
	f, err := u.Dir.Open(name)
	return unsyncedFile{f}, err
}

func fill(b *testing.B, path string, entries, perBatch, size, release int) {
	b.Helper()
	dir, err := disk.OS(path)
	ok(b, err)
	l, _, err := Open(unsynced{dir}, Options{Identity: identity()})
	ok(b, err)
	for done := 0; done < entries; done += perBatch {
		ok(b, l.Append(nil, entriesOf(raft.Index(done+1), min(perBatch, entries-done), size)))
	}
	ok(b, l.Release(raft.Index(release)))
	ok(b, l.Close())
	ok(b, dir.Close())
}
