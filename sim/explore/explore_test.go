package explore

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"
)

var (
	minutes  = flag.Int("minutes", 0, "explore for so long from each situation, with all bounds of the paper")
	timeouts = flag.Int("timeouts", 2, "")
	crashes  = flag.Int("crashes", 1, "")
	dups     = flag.Int("dups", 1, "")
	beats    = flag.Int("beats", 0, "")
	window   = flag.Int("window", 1, "")
	props    = flag.Int("props", 0, "")
	most     = flag.Int("most", 20000, "")
	only     = flag.String("only", "", "explore situations that begin with this alone")
)

// TestPaperBounds explores each situation with two timeouts, one crash and one duplication, for -minutes each.
//
//	go test ./sim/explore -run PaperBounds -minutes 10 -v -timeout 3h
func TestPaperBounds(t *testing.T) {
	bounds := Bounds{Timeouts: *timeouts, Crashes: *crashes, Duplications: *dups, Heartbeats: *beats, Proposals: *props, Window: *window}
	for _, start := range Starts() {
		if !strings.HasPrefix(start.String(), *only) {
			continue
		}
		t.Run(start.String(), func(t *testing.T) {
			explore(t, start, bounds, time.Duration(*minutes)*time.Minute)
		})
	}
}

// explore runs an exploration for some time, or up to 20,000 states, and demands that nothing is violated.
func explore(t *testing.T, start Start, bounds Bounds, long time.Duration) Report {
	t.Helper()
	began := time.Now()
	if long == 0 {
		bounds.States = *most
	}
	report, err := Run(start, bounds, func(Report) bool { return long == 0 || time.Since(began) < long })
	var v *Violation
	if errors.As(err, &v) {
		t.Fatalf("%v", v)
	}
	if err != nil {
		t.Fatal(err)
	}
	seconds := time.Since(began).Seconds()
	t.Logf("%v%.1f s, %.0f states a second", report, seconds, float64(report.States)/seconds)
	return report
}
