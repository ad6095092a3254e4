package main

import (
	"context"
	"errors"
	"strings"
	"sync"

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
newest snapshot includes everything already says so, which is no error.

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
			c.telling("the nodes are writing their snapshots", func() {
				taken = takeAll(cmd.Context(), cluster)
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

func takeAll(ctx context.Context, cluster *client.Client) []takenSnapshot {
	taken := make([]takenSnapshot, len(cluster.Endpoints()))
	var asked sync.WaitGroup
	for i, endpoint := range cluster.Endpoints() {
		asked.Go(func() {
			t := takenSnapshot{Endpoint: endpoint}
			t.Index, t.failure = cluster.Snapshot(ctx, endpoint)
			var e *client.Error
			if errors.As(t.failure, &e) && e.Code == client.CodeNothingNew {
				t.NothingNew, t.failure = true, nil
			}
			if t.failure != nil {
				t.Error = t.failure.Error()
			}
			taken[i] = t
		})
	}
	asked.Wait()
	return taken
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
