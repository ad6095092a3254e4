package main

import (
	"strconv"

	"balsa/client"

	"github.com/spf13/cobra"
)

func incrCommand(c *console) *cobra.Command {
	var at endpoints
	var as format
	var by int64
	cmd := &cobra.Command{
		Use:   "incr KEY",
		Short: "Add to the number under a key",
		Long: `Add to the number under a key, 1 if --by does not say how much, and print the sum. A key
that is not there counts as 0; a value that is not a whole number in decimal digits is
left alone, and the exit status is 1. If the answer is lost it is asked for again, and
counts once. Exit status 6 says that the number may have been added, or may not.`,
		Example: `  balsa incr visits
  balsa incr stock --by -3`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := as.check(); err != nil {
				return err
			}
			cluster, err := at.client()
			if err != nil {
				return err
			}
			defer cluster.Close()
			var done client.IncrementResult
			c.patiently(at, func() { done, err = cluster.Increment(cmd.Context(), args[0], by, once()) })
			if err != nil {
				return clientError(err)
			}
			return outputError(c.written(as, shownWrite{Key: args[0], Revision: done.Revision,
				Created: &done.Created, Value: &done.Value}, strconv.FormatInt(done.Value, 10)))
		},
	}
	at.register(cmd.Flags())
	as.register(cmd.Flags(), "plain")
	cmd.Flags().Int64Var(&by, "by", 1, "how much to add")
	return cmd
}
