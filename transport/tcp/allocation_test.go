package tcp

import (
	"net"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport/transporttest"
)

// sink is a connection that takes everything.
type sink struct{ net.Conn }

func (sink) Write(p []byte) (int, error)      { return len(p), nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }

// Messages are written without memory of their own, however many entries they have.
func TestWritingTakesNoMemory(t *testing.T) {
	entries := make([]raft.Entry, 100)
	for i := range entries {
		entries[i] = raft.Entry{Term: 1, Index: raft.Index(i + 1), Kind: 1, Command: make([]byte, 128)}
	}
	batch := make([]raft.Envelope, 50)
	for i := range batch {
		batch[i] = raft.Envelope{From: transporttest.Identity(1), To: 2, Sequence: raft.Sequence(i),
			Message: raft.AppendEntries{Term: 1, Entries: entries}}
	}
	p := pen{conn: sink{}, timeout: time.Second}
	if n := testing.AllocsPerRun(20, func() { p.write(batch) }); n > 0 {
		t.Errorf("50 messages with 5000 entries take %v allocations", n)
	}
}
