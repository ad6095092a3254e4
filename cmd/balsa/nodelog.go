package main

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// nodeLog is the file that keeps what a node prints. When it is full it becomes the old one, and another
// begins: a cluster that is forgotten in the background must not fill the disk.
type nodeLog struct {
	path string

	mu   sync.Mutex // guards what follows
	file *os.File
	size int64
}

// maxLog is the size in bytes at which a log becomes the old one.
const maxLog = 32 << 20

// logPath is where the log of a node lies.
func logPath(data string, id int) string {
	return filepath.Join(data, "logs", "node-"+strconv.Itoa(id)+".log")
}

func oldLog(path string) string { return path + ".old" }

// openLog opens a node's log to add to it.
func openLog(data string, id int) (*nodeLog, error) {
	l := &nodeLog{path: logPath(data, id)}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return nil, err
	}
	return l, l.open()
}

func (l *nodeLog) open() (err error) {
	l.file, err = os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := l.file.Stat()
	if err == nil {
		l.size = info.Size()
	}
	return err
}

// Write adds whole lines. It reports success whatever became of them: a node must not end because its log
// has no room.
func (l *nodeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+int64(len(p)) > maxLog {
		_ = l.file.Close()
		_ = os.Rename(l.path, oldLog(l.path))
		_ = l.open()
	}
	n, _ := l.file.Write(p)
	l.size += int64(n)
	return len(p), nil
}

func (l *nodeLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.file.Close()
}
