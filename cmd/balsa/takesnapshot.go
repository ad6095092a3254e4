package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
)

// snapshotCommand has nodes take snapshots.
func snapshotCommand(c *console) *cobra.Command {
	var at endpoints
	var as format
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Have nodes take a snapshot of their state now",
		Long: `Ask each endpoint to take a snapshot of its own state now, and print the last entry of
the log that it includes. Nodes take snapshots by themselves when their logs have grown;
this is for the moment before an upgrade or a copy of the data directory. A node whose
newest snapshot includes everything already says so, which is no error. However long they
take, they are waited for; Ctrl-C ends the waiting, and not the snapshots.

The exit status is 0 when at least one node has a snapshot of all that it had applied.`,
		Example: `  balsa snapshot
  balsa snapshot --endpoints 127.0.0.1:8002`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := as.check(); err != nil {
				return err
			}
			cluster, err := at.client()
			if err != nil {
				return err
			}
			defer cluster.Close()
			var taken []takenSnapshot
			c.counting("the nodes are writing their snapshots", len(cluster.Endpoints()), func(done func()) {
				taken = takeAll(cmd.Context(), cluster, done)
			})
			return c.snapshots(as, taken)
		},
	}
	cmd.AddCommand(snapshotInspectCommand(c))
	at.registerEach(cmd.Flags())
	as.register(cmd.Flags(), "table")
	return cmd
}

// takenSnapshot is what one endpoint said.
type takenSnapshot struct {
	Endpoint   string `json:"endpoint"`
	Index      uint64 `json:"index,omitempty"`       // of the last entry that the snapshot includes
	NothingNew bool   `json:"nothing_new,omitempty"` // its newest snapshot has everything already
	Error      string `json:"error,omitempty"`

	failure error
}

// takeAll asks all endpoints at once, and calls done when one has answered.
func takeAll(ctx context.Context, cluster *client.Client, done func()) []takenSnapshot {
	taken := make([]takenSnapshot, len(cluster.Endpoints()))
	var asked sync.WaitGroup
	for i, endpoint := range cluster.Endpoints() {
		asked.Go(func() {
			t := takenSnapshot{Endpoint: endpoint}
			t.Index, t.failure = takeOne(ctx, cluster, endpoint)
			if saysCode(t.failure, client.CodeNothingNew) {
				t.NothingNew, t.failure = true, nil
			}
			done()
			if t.failure != nil {
				t.Error = t.failure.Error()
			}
			taken[i] = t
		})
	}
	asked.Wait()
	return taken
}

func saysCode(err error, code client.Code) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == code
}

// taker is of a client what asks for snapshots.
type taker interface {
	Snapshot(ctx context.Context, endpoint string) (last uint64, err error)
	Status(ctx context.Context, endpoint string) (client.Status, error)
}

// lookAgain is how long a node is left alone that is writing a snapshot.
const lookAgain = time.Second

// takeOne has one node take a snapshot of all that it has applied by now. The API waits for a minute, and
// large states take longer: then the status tells when the snapshot is there. It is asked for again only when
// another one was being written until then, for which the node may have forgotten that somebody asked.
func takeOne(ctx context.Context, from taker, endpoint string) (index uint64, err error) {
	before, err := from.Status(ctx, endpoint)
	if err != nil {
		return 0, err
	}
	newest := before.Snapshot.Index
	for {
		index, err := from.Snapshot(ctx, endpoint)
		if !saysCode(err, client.CodeTimeout) {
			return index, err
		}
		if newest, err = nextSnapshot(ctx, from, endpoint, before, newest); err != nil {
			return 0, err
		}
		if newest >= before.Applied {
			return newest, nil
		}
	}
}

// nextSnapshot waits until a node has another snapshot than the newest so far.
func nextSnapshot(ctx context.Context, from taker, endpoint string, before client.Status, newest uint64) (
	index uint64, err error) {
	for {
		now, err := from.Status(ctx, endpoint)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case saysCode(err, client.CodeTimeout): // it is busy
		case err != nil:
			return 0, err
		case now.Start != before.Start:
			return 0, fail(exitUnavailable, "%s: the node was started anew before its snapshot was there",
				endpoint)
		case now.Snapshot.Index > newest:
			return now.Snapshot.Index, nil
		case now.Stats.SnapshotsFailed > before.Stats.SnapshotsFailed && now.SnapshotError != "":
			return 0, fail(exitError, "%s: %s", endpoint, now.SnapshotError)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// snapshots prints what the endpoints said, and fails when none has a snapshot.
func (c *console) snapshots(as format, taken []takenSnapshot) error {
	var err error
	if as == "json" {
		err = c.json(taken)
	} else {
		var rows [][]string
		for _, t := range taken {
			rows = append(rows, t.row())
		}
		err = c.table(as, strings.Fields("ENDPOINT SNAPSHOT"), rows)
	}
	if err != nil {
		return outputError(err)
	}
	for _, t := range taken {
		if t.failure == nil {
			return nil
		}
	}
	return clientError(taken[0].failure)
}

func (t takenSnapshot) row() []string {
	switch {
	case t.NothingNew:
		return []string{t.Endpoint, "nothing new"}
	case t.failure != nil:
		return []string{t.Endpoint, "failed: " + strings.TrimPrefix(t.Error, t.Endpoint+": ")}
	}
	return []string{t.Endpoint, number(t.Index)}
}
