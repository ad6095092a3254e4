// Command balsa is the whole house on one command line: a node, a cluster on this machine, and the verbs of a
// client.
//
// Data goes to stdout and everything else to stderr. The exit status tells scripts what happened (see
// exit.go).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// the second Ctrl-C is not caught: whoever presses twice does not want to wait
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], &console{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run carries out one command line and returns the exit status. It is main without the process around it.
func run(ctx context.Context, args []string, c *console) int {
	root := rootCommand(c)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	c.complain(err)
	return exitStatus(err)
}
