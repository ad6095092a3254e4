package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// limits are what the machine allows: medians.
type limits struct {
	Sync1, Sync3 time.Duration // 4 KiB and fdatasync, into one file, and into each of three at once
	RoundTrip    time.Duration // of a byte on loopback TCP
}

// lone is the least that a write without company can take: all nodes sync at once, and one answers.
func (l limits) lone() time.Duration { return l.Sync3 + l.RoundTrip }

// String is how reports say them.
func (l limits) String() string {
	return fmt.Sprintf("4 KiB and fdatasync into one file %s, into each of three at once %s; loopback TCP "+
		"round trip %s", span(l.Sync1), span(l.Sync3), span(l.RoundTrip))
}

// medianOf takes the median of each.
func medianOf(all []limits) limits {
	var one, three, trip []float64
	for _, l := range all {
		one = append(one, float64(l.Sync1))
		three = append(three, float64(l.Sync3))
		trip = append(trip, float64(l.RoundTrip))
	}
	return limits{time.Duration(median(one)), time.Duration(median(three)), time.Duration(median(trip))}
}

const (
	limitSyncs = 300
	limitTrips = 3000
)

func measureLimits(dir string) (l limits, err error) {
	one, err := syncs(dir, 1)
	if err != nil {
		return l, err
	}
	three, err := syncs(dir, 3)
	if err != nil {
		return l, err
	}
	trips, err := roundTrips()
	if err != nil {
		return l, err
	}
	return limits{percentile(one, 50), percentile(three, 50), percentile(trips, 50)}, nil
}

// syncs returns, sorted, how long writes took into as many files at once.
func syncs(dir string, files int) ([]time.Duration, error) {
	took := make([][]time.Duration, files)
	failures := make([]error, files)
	var ready, working sync.WaitGroup
	ready.Add(files)
	for i := range files {
		working.Go(func() {
			took[i], failures[i] = syncFile(filepath.Join(dir, fmt.Sprintf("sync-%d", i)), &ready)
		})
	}
	working.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// syncFile fills a file with zeros, waits until the others have too, and writes into it in order.
func syncFile(name string, ready *sync.WaitGroup) ([]time.Duration, error) {
	file, err := os.Create(name)
	if err == nil {
		_, err = file.Write(make([]byte, (limitSyncs+1)*4096))
	}
	if err == nil {
		err = file.Sync()
	}
	ready.Done()
	if err != nil {
		return nil, err
	}
	defer os.Remove(name)
	defer file.Close()
	ready.Wait()
	page := make([]byte, 4096)
	for i := range page {
		page[i] = byte(i)
	}
	var took []time.Duration
	for i := range int64(limitSyncs) {
		start := time.Now()
		if _, err := file.WriteAt(page, i*4096); err != nil {
			return nil, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// roundTrips returns, sorted, how long a byte took to a neighbour and back.
func roundTrips() ([]time.Duration, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	go func() {
		if c, err := listener.Accept(); err == nil {
			_, _ = io.Copy(onlyWriter{c}, onlyReader{c}) // hidden, or the system would splice
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var took []time.Duration
	one := make([]byte, 1)
	for range limitTrips {
		start := time.Now()
		if _, err := c.Write(one); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c, one); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took, nil
}

type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }
