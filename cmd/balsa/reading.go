package main

import (
	"time"

	"balsa/client"

	"github.com/spf13/pflag"
)

// reading is what a reading verb must see.
type reading struct {
	consistency string
	maxStale    time.Duration
	minRevision uint64
}

func (r *reading) register(flags *pflag.FlagSet) {
	flags.StringVar(&r.consistency, "consistency", client.ConsistencyLinearizable,
		"linearizable, lease, leader or stale")
	flags.DurationVar(&r.maxStale, "max-stale", 0,
		"with --consistency stale: how long ago the node may have heard its leader; 0: however long")
	flags.Uint64Var(&r.minRevision, "min-revision", 0, "wait until the node has come to this revision")
}

// options returns what the client is to ask for, or every mistake.
func (r *reading) options() (options []client.ReadOption, err error) {
	var wrong mistakes
	switch r.consistency {
	case client.ConsistencyLinearizable:
	case client.ConsistencyLease:
		options = append(options, client.Leased())
	case client.ConsistencyLeader:
		options = append(options, client.FromLeader())
	case client.ConsistencyStale:
		options = append(options, client.Stale(r.maxStale))
	default:
		wrong.add("--consistency is %q: write linearizable, lease, leader or stale", r.consistency)
	}
	if r.maxStale < 0 {
		wrong.add("--max-stale is %v: give a duration above zero, or leave it out", r.maxStale)
	}
	if r.maxStale != 0 && r.consistency != client.ConsistencyStale {
		wrong.add("--max-stale belongs to --consistency stale: add that, or leave it out")
	}
	if r.minRevision > 0 {
		options = append(options, client.AtLeast(r.minRevision))
	}
	return options, joined(exitUsage, wrong)
}
