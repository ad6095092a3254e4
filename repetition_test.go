package balsa

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"balsa/raft"
)

// Who sends what no correct node would send cannot fill the log with it: it is told once, and later how
// often it has happened since. An entry that replaced nothing is not said to have replaced any.
func TestWhatRepeatsIsToldOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		l := &loop{
			logger: slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
			clock:  epoch{began: time.Now()},
		}
		for range 100 {
			l.tell(raft.MessageRefused{From: 9, Why: raft.Malformed})
		}
		<-time.After(11 * time.Second)
		l.tell(raft.MessageRefused{From: 9, Why: raft.Malformed})
		l.tell(raft.AppendAccepted{From: 2, New: 1})
		told := lines.String()
		if n := strings.Count(told, "level=WARN"); n != 2 || !strings.Contains(told, "others_since=99") {
			t.Errorf("told %d times:\n%.2000s", n, told)
		}
		if strings.Contains(told, "replaced_from") || !strings.Contains(told, "Appended entry") {
			t.Errorf("an entry that replaced nothing:\n%.300s", told)
		}
	})
}
