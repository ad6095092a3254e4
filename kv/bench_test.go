package kv

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"testing"

	"balsa/raft"
)

const manyKeys = 1_000_000

func benchKey(i uint64) string { return fmt.Sprintf("key %08d", i%manyKeys) }

// scattered visits the keys in an order that is as good as random, and the same each time.
func scattered(i int) uint64 { return uint64(i) * 0x9e3779b97f4a7c15 >> 20 }

func million(b *testing.B) *Store {
	b.Helper()
	s := New()
	for i := range uint64(manyKeys) {
		s.Apply(raft.Entry{Index: raft.Index(i + 1), Command: Put(benchKey(i), make([]byte, 128))})
	}
	return s
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkApply overwrites values in a map of a million keys: alone, and beside a view that was captured at
// the beginning. What the view costs in memory when as many writes as there are keys have gone by is
// reported of a run of that length.
func BenchmarkApply(b *testing.B) {
	s := million(b)
	value := make([]byte, 128)
	overwrite := func(i int) {
		binary.LittleEndian.PutUint64(value, uint64(i))
		s.Apply(raft.Entry{Index: raft.Index(manyKeys + i), Command: Put(benchKey(scattered(i)), value)})
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			overwrite(i)
		}
	})
	b.Run("beside a view", func(b *testing.B) {
		b.ReportAllocs()
		view := s.View()
		for i := range b.N {
			overwrite(i)
		}
		runtime.KeepAlive(view)
	})
	b.Run("memory", func(b *testing.B) {
		for range b.N {
			before := heap()
			view := s.View()
			for i := range manyKeys {
				overwrite(i)
			}
			beside := heap()
			b.ReportMetric(float64(before)/(1<<20), "MiB-before")
			b.ReportMetric(float64(beside)/(1<<20), "MiB-beside-view")
			runtime.KeepAlive(view)
		}
	})
}

// BenchmarkView captures a map of a million keys.
func BenchmarkView(b *testing.B) {
	s := million(b)
	for b.Loop() {
		_ = s.View()
	}
}

// BenchmarkWriteTo writes the snapshot of a million keys.
func BenchmarkWriteTo(b *testing.B) {
	view := million(b).View()
	for b.Loop() {
		n, _ := view.WriteTo(io.Discard)
		b.SetBytes(n)
	}
}
