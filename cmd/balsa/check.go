package main

import (
	"errors"
	"strings"

	"balsa/client"

	"github.com/spf13/cobra"
)

func checkCommand(c *console) *cobra.Command {
	var at endpoints
	var as format
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Compare the states of all members at one entry of the log",
		Long: `Have every member hash its whole state, right after one and the same entry of the log,
and compare: they must be equal, byte for byte. The nodes serve meanwhile; on a quiet
cluster a few entries that change nothing are written, to get to that entry.

A member that differs has been damaged, by its memory, its disk or a bug, in a way that no
checksum caught. Have it replaced: an empty directory gets the state of the others.

Exit status: 0 all members agree, 7 their states differ, 5 a member gave no hash and the
others agree.`,
		Example: `  balsa check
  balsa check --endpoints 127.0.0.1:8002 -o json`,
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
			var body client.CheckBody
			c.telling("the members are hashing their states", func() {
				body, err = cluster.Check(cmd.Context())
			})
			return c.checked(as, body, err)
		},
	}
	at.register(cmd.Flags())
	as.register(cmd.Flags(), "table")
	return cmd
}

// checked prints what the members said, and makes it an exit status.
func (c *console) checked(as format, body client.CheckBody, failure error) error {
	var e *client.Error
	differ := errors.As(failure, &e) && e.Check != nil
	if failure != nil && !differ {
		return clientError(failure)
	}
	var err error
	if as == "json" {
		err = c.json(body)
	} else {
		var rows [][]string
		for _, m := range body.Members {
			rows = append(rows, []string{number(m.ID), number(body.Index), hashOf(m), m.API})
		}
		err = c.table(as, strings.Fields("NODE INDEX HASH ENDPOINT"), rows)
	}
	if err != nil {
		return outputError(err)
	}
	return verdictOf(body)
}

// hashOf is the hash of a member, or why there is none.
func hashOf(m client.MemberHash) string {
	switch {
	case m.Hash == "":
		return "none: " + m.Error
	case m.Differs:
		return m.Hash + " DIFFERS"
	}
	return m.Hash
}

// verdictOf says of a comparison what is wrong.
func verdictOf(body client.CheckBody) error {
	var differ, missing []string
	for _, m := range body.Members {
		if m.Differs {
			differ = append(differ, number(m.ID))
		}
		if m.Hash == "" {
			missing = append(missing, number(m.ID))
		}
	}
	switch {
	case len(differ) == 1:
		return fail(exitViolation, "the state of node %s differs from that of the others at index %d: stop "+
			"it, and replace it by one with an empty directory", differ[0], body.Index)
	case body.Differ:
		return fail(exitViolation, "the states differ at index %d, and no majority agrees: nodes %s",
			body.Index, strings.Join(differ, ", "))
	case len(missing) > 0:
		return fail(exitUnavailable, "no hash of node %s; the others agree", strings.Join(missing, ", "))
	}
	return nil
}
