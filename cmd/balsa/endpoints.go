package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"balsa/client"

	"github.com/spf13/pflag"
)

// endpoints are where the verbs of a client look for the cluster.
type endpoints []string

// register is for verbs that any node can answer, registerEach for those that ask every node.
func (e *endpoints) register(flags *pflag.FlagSet)     { e.registerAs(flags, "tried in turn") }
func (e *endpoints) registerEach(flags *pflag.FlagSet) { e.registerAs(flags, "each of them asked") }

func (e *endpoints) registerAs(flags *pflag.FlagSet, how string) {
	flags.StringSliceVar((*[]string)(e), "endpoints",
		[]string{"http://127.0.0.1:8001", "http://127.0.0.1:8002", "http://127.0.0.1:8003"},
		"the nodes' addresses for clients, "+how)
}

func (e endpoints) client() (*client.Client, error) {
	c, err := client.New(e)
	if err != nil {
		return nil, fail(exitUsage, "--endpoints: %w", err)
	}
	return c, nil
}

// quietFor is how long a verb waits before it says that it does.
const quietFor = time.Second

// patiently makes a call that tries the nodes again and again, and says so when that takes long: a terminal
// that says nothing for ten seconds looks like one that hangs.
func (c *console) patiently(at endpoints, call func()) {
	c.telling("no success yet at "+strings.Join(at, ", ")+": trying again for up to 10s", call)
}

// telling says something on stderr if the call takes long.
func (c *console) telling(what string, call func()) {
	done := make(chan struct{})
	var telling sync.WaitGroup
	defer telling.Wait()
	defer close(done)
	telling.Go(func() {
		select {
		case <-done:
		case <-time.After(quietFor):
			fmt.Fprintf(c.err, "balsa: %s\n", what)
		}
	})
	call()
}

// clientError gives an error of the client its exit status. What may have happened outranks why it is not
// known.
func clientError(err error) error {
	var e *client.Error
	if errors.As(err, &e) && e.Code == client.CodeUnreachable {
		return fail(exitUnavailable, "%w: start a cluster with balsa dev, or name its nodes with --endpoints",
			err)
	}
	status := exitError
	switch {
	case errors.Is(err, client.ErrOutcomeUnknown):
		status = exitUnknown
	case errors.Is(err, client.ErrNotFound):
		status = exitNotFound
	case errors.Is(err, client.ErrPreconditionFailed):
		status = exitPrecondition
	case errors.Is(err, client.ErrUnavailable):
		status = exitUnavailable
	case errors.Is(err, client.ErrBadRequest):
		status = exitUsage
	}
	return failure{status, err}
}

// countEvery is how often it is told again how far a verb is.
const countEvery = 5 * time.Second

// counting is telling for what many nodes do and what may take minutes: it says again and again how many are
// done, each of which the call reports.
func (c *console) counting(what string, of int, call func(done func())) {
	var finished atomic.Int64
	ended := make(chan struct{})
	var telling sync.WaitGroup
	defer telling.Wait()
	defer close(ended)
	telling.Go(func() {
		began := time.Now()
		for pause := quietFor; ; pause = countEvery {
			select {
			case <-ended:
				return
			case <-time.After(pause):
				fmt.Fprintf(c.err, "balsa: %s: %d of %d done after %.0fs\n", what, finished.Load(), of,
					time.Since(began).Seconds())
			}
		}
	})
	call(func() { finished.Add(1) })
}
