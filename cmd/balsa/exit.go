package main

import (
	"context"
	"errors"
	"fmt"
)

// The exit statuses. Scripts rest on them: a number never changes its meaning.
const (
	exitOK           = 0
	exitError        = 1
	exitUsage        = 2 // the command line is wrong; nothing was done
	exitNotFound     = 3 // there is no such key
	exitPrecondition = 4 // a condition that the caller set did not hold
	exitUnavailable  = 5 // nobody could take it, and it did not happen; another try may succeed
	exitUnknown      = 6 // it may have happened, or may still
)

// failure is an error that knows its exit status.
type failure struct {
	status int
	err    error
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

func fail(status int, format string, values ...any) error {
	return failure{status, fmt.Errorf(format, values...)}
}

// exitStatus gives the status of an error. What is no failure comes from the parser of the command line.
func exitStatus(err error) int {
	var f failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		return f.status
	case errors.Is(err, context.Canceled):
		return exitError
	}
	return exitUsage
}

// outputError is what became of writing to stdout: a full disk, or a reader that went away.
func outputError(err error) error {
	if err == nil {
		return nil
	}
	return fail(exitError, "writing the output: %w", err)
}
