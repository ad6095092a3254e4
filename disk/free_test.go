package disk

import (
	"runtime"
	"testing"
)

// A disk in memory has what its limit leaves, and says nothing without one; the system's own says something
// plausible, or that it does not know.
func TestFree(t *testing.T) {
	m := NewMemory()
	d := must(m.Open())(t)
	if _, known := Free(d); known {
		t.Error("a disk without a limit says how much is free")
	}
	f := must(d.Create("a", 10*pageSize))(t)
	must(f.WriteAt([]byte("x"), 0))(t)
	m.Limit(3 * pageSize)
	if n, known := Free(d); n != 2*pageSize || !known {
		t.Errorf("%d bytes are free, known: %v", n, known)
	}
	m.Limit(1)
	if n, known := Free(d); n != 0 || !known {
		t.Errorf("%d bytes are free of a disk that is more than full, known: %v", n, known)
	}
	if _, known := Free(struct{ Dir }{d}); known {
		t.Error("a directory that cannot say is believed to know")
	}

	real := must(OS(t.TempDir()))(t)
	defer real.Close()
	n, known := Free(real)
	if runtime.GOOS == "linux" && !known || known && n < 0 {
		t.Errorf("%d bytes are free, known: %v", n, known)
	}
	if _, known := free("/no such directory"); known {
		t.Error("a missing directory has room")
	}
}
