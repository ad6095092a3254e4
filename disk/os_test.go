//go:build unix

package disk

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain is also the process that TestLockEndsWithItsProcess kills: it locks the directory it is told,
// says so, and waits.
func TestMain(m *testing.M) {
	if path := os.Getenv("BALSA_TEST_LOCK"); path != "" {
		_, err := OS(path)
		fmt.Println(err)
		_, _ = os.Stdin.Read(make([]byte, 1))
		return
	}
	os.Exit(m.Run())
}

func TestLockEndsWithItsProcess(t *testing.T) {
	path := t.TempDir()
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), "BALSA_TEST_LOCK="+path)
	stdin := must(holder.StdinPipe())(t)
	defer stdin.Close()
	stdout := must(holder.StdoutPipe())(t)
	ok(t, holder.Start())
	if said := must(bufio.NewReader(stdout).ReadString('\n'))(t); said != "<nil>\n" {
		t.Fatalf("the other process could not lock: %s", said)
	}

	_, err := OS(path)
	fails(t, err, ErrLocked)
	if !strings.Contains(err.Error(), path) {
		t.Errorf("%q does not say which directory", err)
	}
	ok(t, holder.Process.Kill())
	_ = holder.Wait() // says that it was killed
	must(OS(path))(t)
}

func TestOSKeepsEverythingPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	d := must(OS(path))(t)
	must(d.Create("file", 10))(t)
	for name, want := range map[string]os.FileMode{
		path: 0o700, filepath.Dir(path): 0o700,
		filepath.Join(path, "file"): 0o600, filepath.Join(path, lockName): 0o600,
	} {
		if got := must(os.Stat(name))(t).Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", name, got, want)
		}
	}
}

func TestOSRefusesAFileInPlaceOfTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(path, nil, 0o600))
	if _, err := OS(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("error %v", err)
	}
}

func TestAFullDiskIsNamed(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		t.Logf("no /dev/full here: only the names of the errors are checked")
		fails(t, typed(os.NewSyscallError("write", syscall.ENOSPC)), ErrNoSpace)
		return
	}
	ok(t, err)
	_, err = (&osFile{f: f}).WriteAt([]byte("x"), 0)
	fails(t, err, ErrNoSpace)
	fails(t, err, syscall.ENOSPC)
}
