package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"balsa/client"
)

// maxBackups bounds the backups that a node writes at once: each keeps alive what its map has replaced since.
const maxBackups = 2

// backupPiece is how long a client may take to take in one piece of a backup: there is no bound on the whole.
const backupPiece = 30 * time.Second

// backup streams a backup of this node's state. What goes wrong before the first byte is a problem like any
// other; afterwards the connection is broken, so that nobody takes a part for the whole. The digest of all
// bytes follows in a trailer.
func backup(c *call) *problem {
	mode, p := readMode(c.query)
	if p != nil {
		return p
	}
	rate, p := backupRate(c.query.Get("rate"), c.query.Has("rate"))
	if p != nil {
		return p
	}
	select {
	case c.api.backups <- struct{}{}:
		defer func() { <-c.api.backups }()
	default:
		return &problem{status: http.StatusTooManyRequests, code: client.CodeOverloaded, retry: time.Second,
			message: fmt.Sprintf("this node writes %d backups already", maxBackups)}
	}
	b, err := c.api.node.Backup(c.ctx, mode)
	if err != nil {
		return readProblem(err)
	}
	b.Rate = rate
	h := c.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Trailer", client.HeaderDigest)
	h.Set(client.HeaderBackupIndex, strconv.FormatUint(uint64(b.Last.Index), 10))
	h.Set(client.HeaderBackupTerm, strconv.FormatUint(uint64(b.Last.Term), 10))
	h.Set(client.HeaderConsistency, mode.Consistency.String())
	c.w.WriteHeader(http.StatusOK)
	sum, control := sha256.New(), http.NewResponseController(c.w)
	_ = control.Flush() // the client knows that it begins
	if _, err := b.WriteTo(io.MultiWriter(lenient{c.w, control}, sum)); err != nil {
		c.api.logger.Warn("A backup was not written to its end", "through", b.Last, "error", err)
		panic(http.ErrAbortHandler)
	}
	h.Set(client.HeaderDigest, "sha-256="+hex.EncodeToString(sum.Sum(nil)))
	return nil
}

// backupRate reads how many bytes may be sent in a second.
func backupRate(text string, given bool) (int64, *problem) {
	if !given {
		return 0, nil
	}
	rate, err := strconv.ParseInt(text, 10, 64)
	if err != nil || rate <= 0 {
		return 0, badRequest("rate is a number of bytes in a second, such as rate=1048576")
	}
	return rate, nil
}

// lenient gives the client time anew for each piece: the server's bound on a whole answer is made for short
// ones.
type lenient struct {
	to      io.Writer
	control *http.ResponseController
}

func (l lenient) Write(b []byte) (int, error) {
	_ = l.control.SetWriteDeadline(time.Now().Add(backupPiece)) // a recorder has none
	return l.to.Write(b)
}
