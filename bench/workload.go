package main

import (
	"context"
	"time"
)

// workload is one kind of work.
type workload struct {
	name    string
	title   string
	clients int
	bytes   int // of a command
	kind    kind
}

type kind uint8

const (
	writes kind = iota
	reads
	leaseReads
	restart
	failover
)

func workloads() []workload {
	return []workload{
		{"w1", "writes of 128 bytes, 1 client", 1, 128, writes},
		{"w16", "writes of 128 bytes, 16 clients", 16, 128, writes},
		{"w64", "writes of 128 bytes, 64 clients", 64, 128, writes},
		{"w256", "writes of 128 bytes, 256 clients", 256, 128, writes},
		{"w1024", "writes of 128 bytes, 1024 clients", 1024, 128, writes},
		{"big", "writes of 64 KiB, 64 clients", 64, 64 << 10, writes},
		{"reads", "linearizable reads, 256 clients", 256, 128, reads},
		{"lease", "reads by lease, 256 clients", 256, 128, leaseReads},
		{"restart", "restart without a snapshot", 1024, 128, restart},
		{"failover", "SIGKILL of the leader to the first acknowledged write", 1, 128, failover},
	}
}

func workloadNamed(name string) (workload, bool) {
	for _, w := range workloads() {
		if w.name == name {
			return w, true
		}
	}
	return workload{}, false
}

// suits reports whether a system has what the workload measures.
func (w workload) suits(s system) bool { return w.kind != leaseReads || s.leases }

// effort is how much of it is done.
type effort struct {
	Seconds float64 // for which a closed loop is measured
	Entries int     // before a restart
	Kills   int     // of a leader
}

// settling is how long a closed loop runs before it is measured, so that pools and windows have their sizes.
func (e effort) settling() time.Duration { return e.duration() / 5 }

func (e effort) duration() time.Duration { return time.Duration(e.Seconds * float64(time.Second)) }

// measure does the work once on a new cluster below dir.
func (w workload) measure(s system, dir string, e effort) (figure, error) {
	switch w.kind {
	case restart:
		return measureRestart(s, dir, w, e)
	case failover:
		return measureFailover(s, dir, e)
	}
	addresses, err := freeAddresses(nodes)
	if err != nil {
		return figure{}, err
	}
	c, err := openCluster(s, dir, addresses, w.kind == leaseReads)
	if err != nil {
		return figure{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.settling()+e.duration()+patience)
	defer cancel()
	if err := c.awaitLeader(ctx); err != nil {
		return figure{}, err
	}
	f, err := load(ctx, c, w.clients, w.operation(c), e)
	// The cluster is not closed: the process is about to end, and what a library does then is not measured.
	return f, err
}

// patience is how long a cluster may take to elect a leader, and a client to get its last answer.
const patience = 20 * time.Second
