package main

import (
	"fmt"
	"time"
)

// Sizes of what the sweeps need.
const (
	smallest     = 1_000
	largestLog   = 10_000_000
	largestState = 1_000_000
	logBudget    = 4 << 20  // bytes of commands between snapshots, where the log grows
	valueBudget  = 16 << 20 // bytes of values in the state at most, where values grow
)

// usual is what does not vary.
func usual() setting { return setting{Nodes: 3, Clients: 64, Bytes: 128, Keys: 1_000} }

// sweeps returns all of them, with no log and no state of more than largest entries or keys.
func sweeps(largest int) []sweep {
	return []sweep{logSweep(largest), stateSweep(largest), nodeSweep(), clientSweep(), valueSweep(),
		followerSweep()}
}

func logSweep(largest int) sweep {
	perWrite := func(_ setting, c cost) float64 { return 1e6 / c.Ops }
	live := func(_ setting, c cost) float64 { return mebi(c.Live) }
	return sweep{
		name: "log", short: "A log of many entries", axis: "entries",
		title: "A log of many entries: 64 clients, 128 bytes, 1,000 keys, a snapshot for each " +
			"4 MiB of commands",
		settings: vary(usual(), powers(min(largest, largestLog)), func(s *setting, n int) {
			s.Entries, s.SnapshotBytes = n, logBudget
		}),
		label: func(s setting) string { return thousands(float64(s.Entries)) },
		at:    func(s setting) float64 { return float64(s.Entries) },
		columns: []column{
			opsColumn(""),
			{head: "time per write", value: perWrite, show: micros, curve: "time per write, µs"},
			{head: "of the first", value: perWrite, show: multiple, first: true},
			p50Column(""), p99Column(""),
			{head: "live heap", value: live, show: mebibytes, curve: "live heap, MiB"},
			{head: "of the first", value: live, show: multiple, first: true},
			{head: "resident at most", value: func(_ setting, c cost) float64 { return mebi(c.Peak) },
				show: mebibytes, curve: "resident at most, MiB"},
			{head: "snapshots of the leader", value: func(_ setting, c cost) float64 { return c.Snapshots },
				show: thousands},
			electionColumn(), failedColumn(),
		},
		measure: scaleTask.measureLog,
	}
}

func stateSweep(largest int) sweep {
	milli := func(of func(cost) time.Duration) func(setting, cost) float64 {
		return func(_ setting, c cost) float64 { return millis(of(c)) }
	}
	return sweep{
		name: "state", short: "A state of many keys", axis: "keys",
		title: "A state of many keys: 64 clients, 128 bytes, snapshots by hand",
		settings: vary(usual(), powers(min(largest, largestState)), func(s *setting, n int) {
			s.Keys, s.SnapshotBytes = n, -1
		}),
		label: func(s setting) string { return thousands(float64(s.Keys)) },
		at:    func(s setting) float64 { return float64(s.Keys) },
		columns: []column{
			opsColumn(""), p50Column("p50 of a write, ms"), p99Column("p99 of a write, ms"),
			{head: "snapshot", value: milli(func(c cost) time.Duration { return c.Snapshot }),
				show: ofMillis, curve: "snapshot, ms"},
			{head: "its size", value: func(_ setting, c cost) float64 { return mebi(c.Image) },
				show: mebibytes},
			{head: "restart", value: milli(func(c cost) time.Duration { return c.Restart }),
				show: ofMillis, curve: "restart, ms"},
			{head: "live heap", value: func(_ setting, c cost) float64 { return mebi(c.Live) },
				show: mebibytes},
			electionColumn(), failedColumn(),
		},
		measure: scaleTask.measureState,
	}
}

func nodeSweep() sweep {
	return sweep{
		name: "nodes", short: "Many nodes", axis: "nodes",
		title:    "Many nodes, all in one process: 64 clients, 128 bytes",
		settings: vary(usual(), []int{3, 5, 7, 9}, func(s *setting, n int) { s.Nodes = n }),
		label:    func(s setting) string { return thousands(float64(s.Nodes)) },
		at:       func(s setting) float64 { return float64(s.Nodes) },
		columns: []column{opsColumn("thousand writes/s"), relative(opsColumn("")), p50Column("p50, ms"),
			p99Column("p99, ms"), processorColumn(), electionColumn(), failedColumn()},
		measure: scaleTask.measureLoad,
	}
}

func clientSweep() sweep {
	return sweep{
		name: "clients", short: "Many clients", axis: "clients",
		title: "Many clients: 128 bytes",
		settings: vary(usual(), []int{1, 4, 16, 64, 256, 1024, 4096}, func(s *setting, n int) {
			s.Clients = n
		}),
		label: func(s setting) string { return thousands(float64(s.Clients)) },
		at:    func(s setting) float64 { return float64(s.Clients) },
		columns: []column{opsColumn("thousand writes/s"), p50Column("p50, ms"), p99Column("p99, ms"),
			processorColumn(), electionColumn(), failedColumn()},
		measure: scaleTask.measureLoad,
	}
}

func valueSweep() sweep {
	return sweep{
		name: "values", short: "Large values", axis: "bytes of a value",
		title: "Large values: 16 clients, at most 16 MiB of values in the state",
		settings: vary(usual(), []int{16, 256, 4 << 10, 64 << 10, 1 << 20}, func(s *setting, n int) {
			s.Clients, s.Bytes, s.Keys = 16, n, min(s.Keys, valueBudget/n)
		}),
		label: func(s setting) string { return size(s.Bytes) },
		at:    func(s setting) float64 { return float64(s.Bytes) },
		columns: []column{
			opsColumn(""),
			{head: "of values, in a second", value: func(s setting, c cost) float64 {
				return mebi(c.Ops * float64(s.Bytes))
			}, show: mebibytes, curve: "MiB of values in a second"},
			p50Column("p50, ms"), p99Column("p99, ms"), processorColumn(), electionColumn(), failedColumn(),
		},
		measure: scaleTask.measureLoad,
	}
}

func followerSweep() sweep {
	return sweep{
		name: "followers", short: "One follower that is not well", axis: "one follower is",
		title: fmt.Sprintf("One follower that is dead, or whose every sync takes %d ms more: three nodes, "+
			"64 clients, 128 bytes", slowSync.Milliseconds()),
		settings: vary(usual(), []int{int(well), int(dead), int(slow)}, func(s *setting, n int) {
			s.Follower = condition(n)
		}),
		label: func(s setting) string { return [...]string{"well", "dead", "slow"}[s.Follower] },
		columns: []column{opsColumn(""), relative(opsColumn("writes/s")), p50Column(""),
			relative(p50Column("p50")), p99Column(""), relative(p99Column("p99")), processorColumn(),
			electionColumn(), failedColumn()},
		measure: scaleTask.measureLoad,
	}
}

// vary returns a setting for each of some numbers.
func vary(base setting, numbers []int, set func(*setting, int)) (all []setting) {
	for _, n := range numbers {
		s := base
		set(&s, n)
		all = append(all, s)
	}
	return all
}

// powers returns the powers of ten from the smallest size up to another.
func powers(to int) (all []int) {
	for n := smallest; n <= to; n *= 10 {
		all = append(all, n)
	}
	return all
}

// The columns that sweeps have in common. One with a curve is drawn.

func opsColumn(curve string) column {
	return column{head: "writes/s", value: func(_ setting, c cost) float64 { return c.Ops / 1e3 },
		show: ofThousands, curve: curve}
}

func p50Column(curve string) column {
	return column{head: "p50", value: func(_ setting, c cost) float64 { return millis(c.P50) },
		show: ofMillis, curve: curve}
}

func p99Column(curve string) column {
	return column{head: "p99", value: func(_ setting, c cost) float64 { return millis(c.P99) },
		show: ofMillis, curve: curve}
}

func processorColumn() column {
	return column{head: "CPU µs/write", value: func(_ setting, c cost) float64 { return c.CPU },
		show: oneDigit}
}

func electionColumn() column {
	return column{head: "elections", value: func(_ setting, c cost) float64 { return c.Elections },
		show: thousands}
}

func failedColumn() column {
	return column{head: "failed", value: func(_ setting, c cost) float64 { return float64(c.Failed) },
		show: thousands}
}

// relative is a column as a multiple of what the first setting gave.
func relative(c column) column {
	c.head, c.show, c.first = "of the first", multiple, true
	return c
}
