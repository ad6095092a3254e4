package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"balsa/disk"
)

// grown is a run that was made up: each pass is a tenth better than the one before, the second setting costs
// twice as much as the first, and in the last pass it fails.
func grown(t *testing.T, names string) (r scaleReport) {
	t.Helper()
	found, err := chosen("sweep", names, sweeps(10_000), func(s sweep) string { return s.name })
	if err != nil {
		t.Fatal(err)
	}
	r = scaleReport{command: "bench -made-up", machine: []string{"a machine"}, passes: 3,
		effort: effort{Seconds: 0.5},
		limits: []limits{{time.Millisecond, 2 * time.Millisecond, 10 * time.Microsecond}}}
	for _, s := range found {
		m := scaled{sweep: s}
		for p := range r.passes {
			var costs []cost
			for i := range s.settings {
				of := math.Pow(0.9, float64(p)) * math.Pow(2, float64(i))
				took := time.Duration(of * float64(time.Millisecond))
				costs = append(costs, cost{
					figure: figure{Ops: 10_000 / of, P50: took, P99: 5 * took, CPU: 10 * of},
					Live:   of * (1 << 20), Peak: 3 * of * (1 << 20), Snapshots: float64(i),
					Snapshot: 7 * took, Image: of * (1 << 19), Restart: 200 * took,
				})
			}
			if p == r.passes-1 {
				costs[1] = failure(os.ErrPermission)
			}
			m.passes = append(m.passes, costs)
		}
		r.results = append(r.results, m)
	}
	return r
}

func TestScaleTable(t *testing.T) {
	r := grown(t, "log,state,followers")
	for p := range r.results[1].passes { // a setting without any figure
		r.results[1].passes[p][1] = cost{figure: figure{Error: "panic: a | b\n\tc"}}
	}
	var got bytes.Buffer
	r.write(&got)
	golden(t, "testdata/scale.md", got.Bytes())
}

// TestRatiosAreOfOnePass makes the passes differ by more than the settings do: a ratio of medians would be
// another one.
func TestRatiosAreOfOnePass(t *testing.T) {
	two := sweep{settings: make([]setting, 2)}
	m := scaled{sweep: two}
	reached := func(ops float64) cost { return cost{figure: figure{Ops: ops}} }
	for _, ops := range [][2]float64{{100, 50}, {1000, 400}, {200, 120}} {
		m.passes = append(m.passes, []cost{reached(ops[0]), reached(ops[1])})
	}
	broken := failure(os.ErrClosed)
	m.passes = append(m.passes, []cost{broken, reached(9)}, []cost{reached(9), broken})
	ops := opsColumn("")
	if got := m.value(relative(ops), 1); got != 0.5 {
		t.Errorf("the ratio is %g, want the median of 0.5, 0.4 and 0.6", got)
	}
	if got := m.value(ops, 1); math.Abs(got-0.085) > 1e-9 {
		t.Errorf("the median is %g thousand, want that of 50, 400, 120 and 9", got)
	}
	m.passes = m.passes[3:4]
	if got := m.value(relative(ops), 1); !math.IsNaN(got) {
		t.Errorf("without a first setting the ratio is %g", got)
	}
}

func TestScaleChart(t *testing.T) {
	r := grown(t, "")
	name := filepath.Join(t.TempDir(), "chart.png")
	if err := r.chart(name); err != nil {
		t.Fatal(err)
	}
	isPicture(t, name)
	for _, sweep := range []string{"log", "followers"} {
		r := grown(t, sweep)
		for i := range r.results[0].passes[0] {
			r.results[0].passes[0][i] = failure(os.ErrClosed)
		}
		r.results[0].passes = r.results[0].passes[:1]
		if err := r.chart(name); err == nil || !strings.Contains(err.Error(), sweep) {
			t.Errorf("%s without a figure: %v", sweep, err)
		}
	}
}

func TestSweeps(t *testing.T) {
	counts := map[string]int{"log": 5, "state": 4, "nodes": 4, "clients": 7, "values": 5, "followers": 3}
	for _, s := range sweeps(largestLog) {
		if len(s.settings) != counts[s.name] {
			t.Errorf("%s has %d settings, want %d", s.name, len(s.settings), counts[s.name])
		}
		for i, at := range s.settings {
			if at.Nodes < 3 || at.Clients < 1 || at.Keys < 1 || at.Bytes < 1 {
				t.Errorf("%s: %+v", s.name, at)
			}
			if i > 0 && s.at != nil && s.at(at) <= s.at(s.settings[i-1]) {
				t.Errorf("%s: %s does not grow", s.name, s.label(at))
			}
		}
	}
	for _, c := range []struct {
		args, problem string
		log           int
	}{
		{"-scale -quick", "", 3},
		{"-scale -quick -largest 1000", "", 1},
		{"-scale -largest 20000", "", 2},
		{"-scale -largest 999", "at least 1000", 0},
		{"-scale -sweeps log,nonsense", `"nonsense"`, 0},
		{"-sweeps log", "-scale", 0},
		{"-scale -workloads w1", "-scale", 0},
	} {
		o, err := parse(strings.Fields(c.args))
		switch {
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: %v, want something of %s", c.args, err, c.problem)
		case c.problem == "" && (err != nil || len(o.sweeps[0].settings) != c.log):
			t.Errorf("%s: %v, and the first of %d sweeps has not %d settings", c.args, err,
				len(o.sweeps), c.log)
		}
	}
}

func TestASlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, err := disk.NewMemory().Open()
		if err != nil {
			t.Fatal(err)
		}
		d := &slowDir{Dir: memory}
		f, err := d.Create("file", 1)
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Open("file")
		if err != nil {
			t.Fatal(err)
		}
		for _, isSlow := range []bool{false, true} {
			d.slow.Store(isSlow)
			want := time.Duration(0)
			if isSlow {
				want = slowSync
			}
			for what, sync := range map[string]func() error{"a new file": f.Sync, "a file": again.Sync,
				"the directory": d.Sync} {
				start := time.Now()
				if err := sync(); err != nil || time.Since(start) != want {
					t.Errorf("%s, slow %v: synced in %v, %v", what, isSlow, time.Since(start), err)
				}
			}
		}
	})
}

func TestSizesInWords(t *testing.T) {
	for v, want := range map[int]string{16: "16 B", 4096: "4 KiB", 1 << 20: "1 MiB"} {
		if got := size(v); got != want {
			t.Errorf("%d is printed as %s", v, got)
		}
	}
	if peak, err := residentAtMost(); err != nil || peak < 1<<20 || peak > 1<<36 {
		t.Errorf("this test takes %g bytes at most, %v", peak, err)
	}
}

// TestScaleProcesses measures a little of each sweep, in processes as a run does.
func TestScaleProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("opens clusters on a disk")
	}
	for _, s := range sweeps(smallest) {
		t.Run(s.name, func(t *testing.T) {
			last := s.settings[len(s.settings)-1]
			if s.name == "values" {
				last = s.settings[0] // the last takes longer than is measured here
			}
			task := scaleTask{Sweep: s.name, Setting: last, Effort: effort{Seconds: 0.3}}
			c := delegateScale(t.Context(), task, t.TempDir())
			if c.Error != "" || c.P50 <= 0 || c.Ops <= 0 {
				t.Errorf("%+v", c)
			}
			held := float64(last.Keys * last.Bytes)
			if s.name == "state" && (c.Restart <= 0 || c.Snapshot <= 0 || c.Image < held) {
				t.Errorf("%+v", c)
			}
		})
	}
}
