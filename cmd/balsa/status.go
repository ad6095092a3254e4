package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
)

// statusTimeout bounds how long status waits for a node: those that are up answer in milliseconds.
const statusTimeout = time.Second

func statusCommand(c *console) *cobra.Command {
	var at endpoints
	var as format
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what each node knows of itself and of the cluster",
		Long: `Ask each endpoint for its status. Exit status 5 says that no node answered; a node that
does not answer while others do is a line of the table.`,
		Example: `  balsa status
  balsa status -o json`,
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
			return c.status(as, askAll(cmd.Context(), cluster))
		},
	}
	at.registerEach(cmd.Flags())
	as.register(cmd.Flags(), "table")
	return cmd
}

// report is what one endpoint said, or why it said nothing.
type report struct {
	Endpoint string         `json:"endpoint"`
	Status   *client.Status `json:"status,omitempty"`
	Error    string         `json:"error,omitempty"`

	failure error
}

// askAll asks all endpoints at once, so that one that hangs does not delay the rest.
func askAll(ctx context.Context, cluster *client.Client) []report {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	reports := make([]report, len(cluster.Endpoints()))
	var asked sync.WaitGroup
	for i, endpoint := range cluster.Endpoints() {
		asked.Go(func() {
			reports[i] = report{Endpoint: endpoint}
			status, err := cluster.Status(ctx, endpoint)
			if err != nil {
				reports[i].Error, reports[i].failure = err.Error(), err
				return
			}
			reports[i].Status = &status
		})
	}
	asked.Wait()
	return reports
}

// status prints the reports, and fails when there is none.
func (c *console) status(as format, reports []report) error {
	var err error
	if as == "json" {
		err = c.json(reports)
	} else {
		var rows [][]string
		for _, r := range reports {
			rows = append(rows, r.row())
		}
		err = c.table(as, strings.Fields("ENDPOINT NODE ROLE TERM LEADER COMMIT APPLIED KEYS PEERS"), rows)
	}
	if err != nil {
		return outputError(err)
	}
	for _, r := range reports {
		if r.Status != nil {
			return nil
		}
	}
	return clientError(reports[0].failure)
}

// row shows one node. A leader's line also says how far each peer has come.
func (r report) row() []string {
	if r.Status == nil {
		return append([]string{r.Endpoint, "-", "unreachable"}, strings.Fields("- - - - - -")...)
	}
	s := r.Status
	leader, peers := "-", "-"
	if s.Leader != 0 {
		leader = number(s.Leader)
	}
	if s.Leader == s.ID && len(s.Peers) > 0 {
		var at []string
		for _, p := range s.Peers {
			at = append(at, number(p.ID)+"@"+number(p.Match))
		}
		peers = strings.Join(at, " ")
	}
	return []string{r.Endpoint, number(s.ID), r.role(), number(s.Term), leader, number(s.Commit),
		number(s.Applied),
		number(s.Keys), peers}
}

// role is what a node that answered is.
func (r report) role() string {
	if r.Status.Stopped != "" {
		return "stopped"
	}
	return r.Status.Role
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
