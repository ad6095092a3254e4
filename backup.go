package balsa

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
)

// Backup is the state of a cluster right after one entry of its log, captured at one node and ready to be
// written. The node goes on meanwhile; until the Backup is dropped, what its state machine has replaced since
// stays in memory.
type Backup struct {
	Last    raft.EntryID   // the last entry that it includes
	Time    raft.Time      // log time of that entry
	Cluster raft.ClusterID // it is bound to
	Members raft.Configuration
	Rate    int64 // to be set before WriteTo: the bytes that it writes in a second; 0 is no bound

	image   replica.Image
	options snapshot.Options
	workers *workers
}

// Backup captures the state of this node's state machine. When mode is Linearizable it includes everything
// that was acknowledged to anybody before the call; when it is Stale, what this node has applied. Capturing
// takes no time to speak of. Sessions and keys of proposals are part of it.
//
// Every error is an *Error, as of Read; and ErrNothingNew when nothing was ever applied.
func (n *Node) Backup(ctx context.Context, mode ReadMode) (*Backup, error) {
	if _, err := n.Read(ctx, mode); err != nil {
		return nil, err
	}
	o, err := n.ask(ctx, func(t raft.Ticket) replica.Event { return replica.ImageAsked{Ticket: t} })
	if err != nil {
		return nil, nothingApplied(err)
	}
	b := &Backup{Last: o.image.Of.Last, Time: o.image.Of.Time, Members: o.image.Of.Members,
		Cluster: n.identity.Cluster, image: *o.image, workers: n.loop.workers,
		options: snapshot.Options{Cluster: n.identity.Cluster}}
	if n.config.Codec != nil {
		b.options.Codecs = []snapshot.Codec{n.config.Codec}
	}
	return b, nil
}

// WriteTo writes the backup as a file of package snapshot: a header, chunks with a checksum each, and a
// trailer with one of the whole. It writes piece by piece and at an easy pace, so that the node has the
// processor when it needs it, and waits for w as long as w takes. An error means that what was written is of
// no use: w failed, or the node has ended.
func (b *Backup) WriteTo(w io.Writer) (int64, error) {
	to := &metered{to: w, rate: b.Rate, dismissed: b.workers.dismissed, began: time.Now()}
	_, err := snapshot.Stream(to, b.options, b.image.Of, b.workers.easily(b.image.State))
	return to.n, err
}

// easily is an image that is written at an easy pace, and no further when the node ends. Nobody in the node
// waits for it.
func (w *workers) easily(image io.WriterTo) io.WriterTo {
	return paced{image, w.dismissed, &atomic.Bool{}}
}

// metered counts what is written, and lets no more through in a second than the rate.
type metered struct {
	to        io.Writer
	rate      int64 // bytes in a second; 0: no bound
	dismissed <-chan struct{}
	began     time.Time
	n         int64
}

func (m *metered) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		var some int
		some, err = m.to.Write(b[:min(len(b), pieceBytes)])
		n, b, m.n = n+some, b[some:], m.n+int64(some)
		if err == nil && m.rate > 0 {
			due := time.Duration(m.n/m.rate)*time.Second +
				time.Duration(m.n%m.rate*int64(time.Second)/m.rate)
			err = pause(m.dismissed, due-time.Since(m.began))
		}
	}
	return n, err
}
