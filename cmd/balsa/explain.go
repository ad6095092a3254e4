package main

import (
	"errors"
	"io/fs"
	"syscall"

	"balsa/snapshot"
	"balsa/wal"
)

// addressError says why nobody can listen on an address, and which flag to change.
func addressError(flag, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fail(exitError, "%s %s is in use by another program: stop that, or choose another address",
			flag, address)
	case errors.Is(err, fs.ErrPermission):
		return fail(exitError, "%s %s needs more rights than this user has: choose a port from 1024 on",
			flag, address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail(exitError, "%s %s is no address of this machine: listen on 127.0.0.1", flag, address)
	}
	return fail(exitError, "%s %s: %w: choose another address", flag, address, err)
}

// openError says why a node could not be opened, and what to do.
func openError(s settings, err error) error {
	switch {
	case errors.As(err, new(failure)):
		return err
	case errors.Is(err, syscall.EADDRINUSE):
		return addressError("--raft", s.raft(), err)
	case errors.Is(err, wal.ErrCorrupt), errors.Is(err, snapshot.ErrCorrupt):
		return fail(exitError, "--data %s: %w", s.node.Dir, adviseRefused(s, err))
	case errors.Is(err, wal.ErrForeign), errors.Is(err, wal.ErrVersion), errors.Is(err, snapshot.ErrForeign),
		errors.Is(err, snapshot.ErrVersion), errors.Is(err, snapshot.ErrCodec):
		return fail(exitError, "--data %s: %w", s.node.Dir, err) // these say themselves what to do
	case errors.Is(err, wal.ErrNotInitialized):
		return noPeers(s)
	case errors.Is(err, fs.ErrPermission):
		return fail(exitError, "--data %s: %w: give this user the right to read and write it",
			s.node.Dir, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fail(exitError, "--data %s is, or lies below, a file: name a directory", s.node.Dir)
	}
	return failure{exitError, err}
}

// noPeers is a first start that does not say with whom.
func noPeers(s settings) error {
	const example = "--peers 1=127.0.0.1:7001,2=127.0.0.1:7002,3=127.0.0.1:7003"
	return fail(exitUsage, "--peers is missing: --data %s holds no node yet, and a first start needs every "+
		"node's address, this one's included, as in %s; or --join with the URL of a cluster that runs",
		s.node.Dir, example)
}
