package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestChart draws what was made up, with a system that has no figure.
func TestChart(t *testing.T) {
	r := report{systems: systems()[:3]}
	for _, name := range []string{"w1", "w256", "big"} {
		w, _ := workloadNamed(name)
		passes := []pass{{figures: map[string]figure{
			ours:              {Ops: 1000 * float64(w.clients), P50: time.Millisecond},
			"etcd-raft":       {Ops: 700 * float64(w.clients), P50: 2 * time.Millisecond},
			systems()[2].name: {Error: "broke"},
		}}}
		r.results = append(r.results, result{w, passes})
	}
	if got := r.curve(ours); len(got) != 2 || got[1].clients != 256 || got[1].ops != 256000 {
		t.Errorf("the curve is %v: two points are wanted, for 128 bytes alone", got)
	}
	name := filepath.Join(t.TempDir(), "chart.png")
	if err := r.chart(name); err != nil {
		t.Fatal(err)
	}
	isPicture(t, name)
	r.results = r.results[2:]
	if err := r.chart(name); err == nil || !strings.Contains(err.Error(), "nothing to draw") {
		t.Errorf("without a point: %v", err)
	}
}

func TestTicks(t *testing.T) {
	var labels []string
	for _, tick := range (roundTicks{}).Ticks(0.3, 60) {
		labels = append(labels, tick.Label)
	}
	if got := strings.Join(labels, " "); got != "0.5 1 2 5 10 20 50" {
		t.Errorf("between 0.3 and 60 the marks are %s", got)
	}
	for _, tick := range (roundTicks{}).Ticks(1e-3, 2e7) {
		if len(tick.Label) > len("20000000") {
			t.Errorf("%g is marked as %s", tick.Value, tick.Label)
		}
	}
}

// isPicture demands that a file can be shown.
func isPicture(t *testing.T, name string) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(content)); err != nil {
		t.Error(err)
	}
}
