package main

import (
	"errors"
	"io/fs"
	"syscall"

	"balsa/disk"
	"balsa/wal"
)

// addressError says why nobody can listen on an address, and which flag to change.
func addressError(flag, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fail(exitError, "%s %s is in use by another program: stop that, or choose another address",
			flag, address)
	case errors.Is(err, fs.ErrPermission):
		return fail(exitError, "%s %s needs more rights than this user has: choose a port from 1024 on", flag,
			address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail(exitError, "%s %s is no address of this machine: listen on 127.0.0.1", flag, address)
	}
	return fail(exitError, "%s %s: %w: choose another address", flag, address, err)
}

// openError says why a node could not be opened, and what to do.
func openError(s settings, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return addressError("--raft", s.node.Listen, err)
	case errors.Is(err, disk.ErrLocked), errors.Is(err, wal.ErrForeign), errors.Is(err, wal.ErrCorrupt):
		return failure{exitError, err} // these say themselves what to do
	case errors.Is(err, fs.ErrPermission):
		return fail(exitError, "--data %s: %w: give this user the right to read and write it", s.node.Dir,
			err)
	case errors.Is(err, syscall.ENOTDIR):
		return fail(exitError, "--data %s is, or lies below, a file: name a directory", s.node.Dir)
	}
	return failure{exitError, err}
}
