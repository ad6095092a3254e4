package main

import (
	"fmt"
	"strconv"
	"strings"

	"balsa/client"

	"github.com/spf13/cobra"
)

func memberList(c *console) *cobra.Command {
	var at endpoints
	var as format
	var stale bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show the members, as the leader sees them",
		Long: `Show the members as the leader sees them, once it has made sure that it leads. LAG is how
much of the leader's log a member lacks, in bytes, or that it lacks so much that it needs a snapshot;
CONTACT is when it last answered the leader.
With --stale the first node that answers shows what it knows, without a leader too.`,
		Example: `  balsa member list
  balsa member list -o json
  balsa member list --stale`,
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
			var now client.Cluster
			c.patiently(at, func() {
				if !stale {
					now, err = cluster.Cluster(cmd.Context())
					return
				}
				for _, endpoint := range cluster.Endpoints() {
					if now, err = cluster.ClusterAt(cmd.Context(), endpoint); err == nil {
						return
					}
				}
			})
			if err != nil {
				return clientError(err)
			}
			return c.members(as, now)
		},
	}
	at.register(cmd.Flags())
	as.register(cmd.Flags(), "table")
	cmd.Flags().BoolVar(&stale, "stale", false, "what one node knows by itself, which may be old")
	return cmd
}

func (c *console) members(as format, now client.Cluster) error {
	if as == "json" {
		return outputError(c.json(now))
	}
	var rows [][]string
	for _, m := range now.Members {
		rows = append(rows, memberRow(m))
	}
	err := c.table(as, strings.Fields("ID ROLE HEALTH MATCH LAG CONTACT RAFT HTTP"), rows)
	if as != "table" {
		return outputError(err)
	}
	for _, note := range memberNotes(now) {
		if err == nil {
			_, err = fmt.Fprintln(c.out, note)
		}
	}
	return outputError(err)
}

func memberRow(m client.Member) []string {
	role, contact, api := m.Role, "-", m.API
	if m.Leader {
		role += ", leads"
	}
	if m.ContactMS >= 0 {
		contact = strconv.FormatInt(m.ContactMS, 10) + "ms"
	}
	if api == "" {
		api = "-"
	}
	health := m.Health
	if m.Installing != nil {
		health = fmt.Sprintf("%s, receives a snapshot: %s", health, percent(m.Installing))
	}
	return []string{number(m.ID), role, health, number(m.Match), lag(m), contact, m.Address, api}
}

// lag is how many bytes of the leader's log a member lacks.
func lag(m client.Member) string {
	switch b := m.LagBytes; {
	case b < 0:
		return "snapshot"
	case b == 0:
		return "0"
	case b < 1<<10:
		return strconv.FormatInt(b, 10) + "B"
	case b < 1<<20:
		return strconv.FormatInt(b>>10, 10) + "KiB"
	default:
		return strconv.FormatInt(b>>20, 10) + "MiB"
	}
}

func percent(i *client.Installing) string {
	return number(i.Offset*100/max(i.Size, 1)) + " %"
}

// memberNotes are what concerns all members, a line each.
func memberNotes(now client.Cluster) (notes []string) {
	if tolerates := now.FailureTolerance; tolerates != nil {
		notes = append(notes, count(*tolerates, "more voter")+" may fail")
	}
	if !now.Settled() {
		notes = append(notes, fmt.Sprintf("a change of the members is under way: configuration %d",
			now.Configuration))
	}
	if r := now.Repair; r != nil && r.Halted != "" {
		notes = append(notes, "the cluster stands still: "+r.Halted)
	}
	if now.TransferTo != 0 {
		notes = append(notes, fmt.Sprintf("node %d hands over to node %d", now.Leader, now.TransferTo))
	}
	if now.AutoPromote {
		notes = append(notes, "learners that have caught up get a vote by themselves")
	}
	if now.LeaseDrift != 0 {
		notes = append(notes, fmt.Sprintf("reads by lease are on: right as long as no clock errs by more "+
			"than %d ppm; each voter votes for nobody for %dms after it has heard the leader",
			now.LeaseDrift, now.LeaseTimeMS))
	}
	return notes
}
