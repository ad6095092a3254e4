package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"balsa/kv"
)

// cost is what one setting gave. Which fields count depends on the sweep.
type cost struct {
	figure
	Live, Peak float64 // bytes of the process: of its heap after a collection, and resident at most
	Snapshots  float64 // that the leader took
	Elections  float64 // won while writes were measured: how often a leader was lost

	Snapshot time.Duration // until the leader had taken one by hand
	Image    float64       // bytes of it
	Restart  time.Duration

	Addresses []string // for the process that opens the same cluster again
	Applied   uint64
}

// scaleTask is what one process measures, as JSON.
type scaleTask struct {
	Sweep   string
	Setting setting
	Dir     string
	Effort  effort
	Prepare bool // the first of two processes, that leaves behind what the second starts with
}

// limit bounds the time of a task.
func (t scaleTask) limit() time.Duration {
	return 3*patience + 2*t.Effort.duration() + time.Duration(t.Setting.Entries)*300*time.Microsecond +
		time.Duration(t.Setting.Keys)*time.Millisecond
}

// performScale does a task in this process, and prints the cost.
func performScale(text string) error {
	var t scaleTask
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	found, err := chosen("sweep", t.Sweep, sweeps(largestLog), func(s sweep) string { return s.name })
	if err != nil {
		return err
	}
	measure := found[0].measure
	if t.Prepare {
		measure = scaleTask.prepareState
	}
	c, err := measure(t)
	if err != nil {
		c.Error = err.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(c)
}

// delegateScale has a process of its own do a task, in a directory that is removed afterwards.
func delegateScale(ctx context.Context, t scaleTask, base string) cost {
	dir, err := os.MkdirTemp(base, "bench-"+t.Sweep+"-")
	if err != nil {
		return failure(err)
	}
	defer os.RemoveAll(dir)
	t.Dir = dir
	return t.delegate(ctx)
}

func (t scaleTask) delegate(ctx context.Context) (c cost) {
	text, err := json.Marshal(t)
	if err != nil {
		return failure(err)
	}
	ctx, cancel := context.WithTimeout(ctx, t.limit())
	defer cancel()
	err = ask(ctx, &c, nil, "-setting", string(text))
	if ctx.Err() != nil {
		err = fmt.Errorf("not done after %v", t.limit())
	}
	if err != nil {
		return failure(err)
	}
	return c
}

func failure(err error) cost { return cost{figure: figure{Error: err.Error()}} }

// open opens the cluster, at new addresses unless it has some.
func (t scaleTask) open(addresses []string) (*cluster, []string, error) {
	var err error
	if addresses == nil {
		if addresses, err = freeAddresses(t.Setting.Nodes); err != nil {
			return nil, nil, err
		}
	}
	c, err := openCluster(system{name: ours, open: t.Setting.openNode}, t.Dir, addresses, false)
	return c, addresses, err
}

// start opens a new cluster and waits for its leader.
func (t scaleTask) start(ctx context.Context) (*cluster, []string, error) {
	c, addresses, err := t.open(nil)
	if err == nil {
		err = c.awaitLeader(ctx)
	}
	return c, addresses, err
}

func (t scaleTask) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), t.limit())
}

// put writes the i-th key.
func (s setting) put(c *cluster) func(ctx context.Context, i int) error {
	value := pattern(s.Bytes)
	return func(ctx context.Context, i int) error {
		key := "key-" + strconv.Itoa(1e9+i%s.Keys)
		return c.lead().Propose(ctx, kv.Put(key, value))
	}
}

// load has the clients write keys at random for a time.
func (t scaleTask) load(ctx context.Context, c *cluster) (figure, error) {
	put := t.Setting.put(c)
	return load(ctx, c, t.Setting.Clients, func(ctx context.Context) error {
		return put(ctx, rand.IntN(t.Setting.Keys))
	}, t.Effort)
}

// measureLoad is the measurement of most sweeps.
func (t scaleTask) measureLoad() (r cost, err error) {
	ctx, cancel := t.context()
	defer cancel()
	c, _, err := t.start(ctx)
	if err != nil {
		return r, err
	}
	if err := c.impair(t.Setting.Follower); err != nil {
		return r, err
	}
	won := c.elections()
	r.figure, err = t.load(ctx, c)
	r.Elections = c.elections() - won
	return r, err
}

// elections are how many the nodes have won since they were opened.
func (c *cluster) elections() (won float64) {
	for _, m := range c.members {
		won += float64(m.(*scaleNode).node.Stats().TermsLed)
	}
	return won
}

// impair puts one follower in a condition.
func (c *cluster) impair(how condition) error {
	c.findLeader()
	follower := c.members[(int(c.leader.Load())+1)%len(c.members)].(*scaleNode)
	switch how {
	case dead:
		return follower.Close()
	case slow:
		follower.disk.slow.Store(true)
	}
	return nil
}

const (
	// fillers are the clients that write what is not measured.
	fillers = 256
	// measuredWrites are so many at the end of a growing log, or half of it if that is less: what they took
	// is kept in memory, and must not show there.
	measuredWrites = 100_000
)

// measureLog writes so many entries, and measures the last of them.
func (t scaleTask) measureLog() (r cost, err error) {
	ctx, cancel := t.context()
	defer cancel()
	c, _, err := t.start(ctx)
	if err != nil {
		return r, err
	}
	count := min(t.Setting.Entries/2, measuredWrites)
	put := t.Setting.put(c)
	if _, err := c.writeAll(ctx, fillers, t.Setting.Entries-count, nil, put); err != nil {
		return r, err
	}
	took := make([]time.Duration, count)
	won := c.elections()
	before := takeUsage()
	if r.Failed, err = c.writeAll(ctx, t.Setting.Clients, count, took, put); err != nil {
		return r, err
	}
	r.charge(count, before, takeUsage())
	r.spread(took)
	r.Elections = c.elections() - won
	if r.Peak, err = residentAtMost(); err != nil {
		return r, err
	}
	r.Live = float64(heapInUse())
	c.findLeader()
	r.Snapshots = float64(c.lead().(*scaleNode).node.Stats().SnapshotsTaken)
	runtime.KeepAlive(c)
	return r, nil
}

// measureState has another process make the state, so that this one's heap holds nothing of it, and measures
// here how long it takes from the first open until a leader has applied all. Its election is in that time.
func (t scaleTask) measureState() (cost, error) {
	ctx, cancel := t.context()
	defer cancel()
	prepare := t
	prepare.Prepare = true
	r := prepare.delegate(ctx)
	if r.Error != "" {
		return r, nil
	}
	start := time.Now()
	c, _, err := t.open(r.Addresses)
	if err != nil {
		return r, err
	}
	for !c.leaderHas(r.Applied) {
		if ctx.Err() != nil {
			return r, fmt.Errorf("not all is applied after a restart: %w", ctx.Err())
		}
		time.Sleep(time.Millisecond)
	}
	r.Restart = time.Since(start)
	return r, nil
}

// prepareState writes every key once, measures writes to them and a snapshot by hand, and closes the cluster.
// A snapshot before the load lets go of the log of the filling, or a restart would read that too.
func (t scaleTask) prepareState() (r cost, err error) {
	ctx, cancel := t.context()
	defer cancel()
	c, addresses, err := t.start(ctx)
	if err != nil {
		return r, err
	}
	if _, err := c.writeAll(ctx, fillers, t.Setting.Keys, nil, t.Setting.put(c)); err != nil {
		return r, err
	}
	if err := c.snapshot(ctx); err != nil {
		return r, err
	}
	won := c.elections()
	if r.figure, err = t.load(ctx, c); err != nil {
		return r, err
	}
	r.Elections = c.elections() - won
	r.Live = float64(heapInUse())
	if err := c.snapshot(ctx); err != nil {
		return r, err
	}
	last := c.lead().(*scaleNode).node.Status().LastSnapshot
	r.Snapshot, r.Image = last.Took, float64(last.Size)
	if r.Applied, err = c.level(ctx); err != nil {
		return r, err
	}
	r.Addresses = addresses
	return r, c.close()
}

// snapshot has every node take one: the leader alone first, so that nobody else's disturbs it.
func (c *cluster) snapshot(ctx context.Context) error {
	c.findLeader()
	leader := c.lead()
	if _, err := leader.(*scaleNode).node.Snapshot(ctx); err != nil {
		return err
	}
	failures := make([]error, len(c.members))
	var working sync.WaitGroup
	for i, m := range c.members {
		if m == leader {
			continue
		}
		working.Go(func() { _, failures[i] = m.(*scaleNode).node.Snapshot(ctx) })
	}
	working.Wait()
	return errors.Join(failures...)
}

// residentAtMost is how many bytes of this process have been in memory at once.
func residentAtMost() (float64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}
