package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// nodes are how many a cluster has, but where their number is what is varied.
const nodes = 3

// cluster is a system with all its nodes in this process.
type cluster struct {
	members []member
	leader  atomic.Int32 // the member that led last
	looking sync.Mutex   // one at a time looks for another
}

// freeAddresses finds so many addresses on loopback that nobody listens on at the moment.
func freeAddresses(count int) (addresses []string, err error) {
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// placeOf is the place of one node of a cluster whose nodes have a directory each below one.
func placeOf(dir string, addresses []string, id int, leases bool) (place, error) {
	p := place{ID: id, Dir: filepath.Join(dir, strconv.Itoa(id)), Addresses: addresses, Leases: leases}
	return p, os.MkdirAll(p.Dir, 0o755)
}

// openCluster opens all nodes, at once since some systems wait for each other.
func openCluster(s system, dir string, addresses []string, leases bool) (*cluster, error) {
	c := &cluster{members: make([]member, len(addresses))}
	failures := make([]error, len(addresses))
	var opening sync.WaitGroup
	for i := range addresses {
		opening.Go(func() {
			p, err := placeOf(dir, addresses, i+1, leases)
			if err == nil {
				c.members[i], err = s.open(p)
			}
			if err != nil {
				c.members[i], failures[i] = nil, err
			}
		})
	}
	opening.Wait()
	if err := errors.Join(failures...); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// awaitLeader waits until a node leads and applies a command.
func (c *cluster) awaitLeader(ctx context.Context) error {
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		c.findLeader()
		err := c.lead().Propose(try, make([]byte, 128))
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("no leader: %w", err)
		}
		time.Sleep(tick)
	}
}

func (c *cluster) lead() member { return c.members[c.leader.Load()] }

// rest is what a client does before it tries again.
const rest = 10 * time.Millisecond

// findLeader looks for who leads now, unless somebody does already; without one, the last is kept. Thousands
// of clients that lost their leader would otherwise all ask every node while these elect another.
func (c *cluster) findLeader() {
	if !c.looking.TryLock() {
		return
	}
	defer c.looking.Unlock()
	for i, m := range c.members {
		if m.Leads() {
			c.leader.Store(int32(i))
			return
		}
	}
}

func (c *cluster) close() error {
	var failures []error
	for _, m := range c.members {
		if m != nil {
			failures = append(failures, m.Close())
		}
	}
	return errors.Join(failures...)
}
