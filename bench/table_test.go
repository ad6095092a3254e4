package main

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestTable prints a run that was made up: one pass of each kind, a failure, and a system without leases.
func TestTable(t *testing.T) {
	named := func(names ...string) (found []system) {
		for _, n := range names {
			s, _ := systemNamed(n)
			s.modules = []string{"no/such/module"}
			found = append(found, s)
		}
		return found
	}
	passes := []pass{turn(150, 100, 90), turn(180, 100, 90), turn(210.4, 100, 90)}
	passes[2].figures["dragonboat-tan"] = figure{Error: "panic: a | b\n\tc"}
	var results []result
	for _, name := range []string{"w1", "w256", "lease"} {
		w, _ := workloadNamed(name)
		results = append(results, result{w, passes})
	}
	starting, _ := workloadNamed("restart")
	killing, _ := workloadNamed("failover")
	took := func(own, peer time.Duration) []pass {
		return []pass{{figures: map[string]figure{ours: {P50: own, P999: 2 * own, Heap: 1.5},
			"etcd-raft": {P50: peer, P999: 2 * peer, Heap: 3}}}}
	}
	results = append(results, result{starting, took(600*time.Millisecond, time.Second)},
		result{killing, took(200*time.Millisecond, 170*time.Millisecond)})
	r := report{command: "bench -made-up", machine: []string{"a machine"}, passes: 3,
		effort: effort{Seconds: 0.5, Entries: 1_000_000, Kills: 5}, results: results,
		systems: named(ours, "etcd-raft", "hashicorp-wal", "dragonboat-tan")}
	r.systems[0].modules = []string{"a/module"} // or it would name a commit
	var got bytes.Buffer
	r.write(&got)
	golden(t, "testdata/table.md", got.Bytes())
}

// golden demands that a table is as the file says.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the table has changed (-update writes it anew):\n%s", got)
	}
}

func TestNumbersInWords(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999.4: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(v); got != want {
			t.Errorf("%g is printed as %s", v, got)
		}
	}
	for d, want := range map[time.Duration]string{
		152 * time.Microsecond:   "152 µs",
		9 * time.Millisecond:     "9000 µs",
		12340 * time.Microsecond: "12.3 ms",
		1150 * time.Millisecond:  "1.15 s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is printed as %s", d, got)
		}
	}
}
