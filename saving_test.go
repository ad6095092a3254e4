package balsa

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
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
		n, err := paced{image: labour{1000}}.WriteTo(io.Discard)
		if took := time.Since(began); n != 1000*pieceBytes || err != nil || took != 3*time.Second {
			t.Errorf("a second of work: %d bytes, %v, after %v", n, err, took)
		}
		began = time.Now()
		dismissed := make(chan struct{})
		time.AfterFunc(500*time.Millisecond, func() { close(dismissed) })
		_, err = paced{labour{1000}, dismissed}.WriteTo(io.Discard)
		if took := time.Since(began); !errors.Is(err, errDismissed) || took > 510*time.Millisecond {
			t.Errorf("dismissed after half a second: %v, after %v", err, took)
		}
	})
}
