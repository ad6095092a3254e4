package explore

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"
)

var (
	minutes  = flag.Int("minutes", 0, "explore for so long from each situation, with larger bounds")
	states   = flag.Int("states", 0, "up to how many states; 0 means 40 million, or 30,000 without -minutes")
	only     = flag.String("only", "", "explore situations whose names begin with this alone")
	timeouts = flag.Int("timeouts", 2, "the bound of TestPaperBounds")
	crashes  = flag.Int("crashes", 1, "the bound of TestPaperBounds")
	losses   = flag.Int("losses", 0, "the bound of TestPaperBounds")
	repeats  = flag.Int("duplications", 1, "the bound of TestPaperBounds")
	beats    = flag.Int("heartbeats", 0, "the bound of TestPaperBounds")
	commands = flag.Int("proposals", 0, "the bound of TestPaperBounds")
	window   = flag.Int("window", 1, "the bound of TestPaperBounds")
)

// TestPaperBounds explores each situation with two timeouts, one crash, one duplication and any losses.
//
//	go test ./sim/explore -run PaperBounds -minutes 10 -v -timeout 3h
func TestPaperBounds(t *testing.T) {
	bounds := Bounds{Timeouts: *timeouts, Crashes: *crashes, Losses: *losses, Duplications: *repeats,
		Heartbeats: *beats, Proposals: *commands, Window: *window, States: *states}
	long := time.Duration(*minutes) * time.Minute
	if long == 0 && *states == 0 {
		bounds.States = 30_000
	}
	for _, start := range Starts() {
		if strings.HasPrefix(start.String(), *only) {
			t.Run(start.String(), func(t *testing.T) { explore(t, start, bounds, long) })
		}
	}
}

// TestSmallBoundsToExhaustion leaves nothing out within bounds that take a moment.
func TestSmallBoundsToExhaustion(t *testing.T) {
	for _, c := range []struct {
		start  Start
		bounds Bounds
	}{
		{Start{Fresh, true}, Bounds{Timeouts: 1, Duplications: 1}},
		{Start{Fresh, false}, Bounds{Timeouts: 1, Duplications: 1}},
		{Start{Elected, true}, Bounds{Timeouts: 1, Crashes: 1}},
		{Start{Elected, true}, Bounds{Proposals: 1, Heartbeats: 1}},
		{Start{Elected, false}, Bounds{Timeouts: 1, Proposals: 1}},
		{Start{Figure7, true}, Bounds{Timeouts: 1}},
		{Start{Figure7, false}, Bounds{Timeouts: 1}},
		{Start{Figure8, true}, Bounds{Crashes: 1}},
		{Start{Figure8, false}, Bounds{Duplications: 1}},
	} {
		t.Run(c.start.String(), func(t *testing.T) {
			if r := explore(t, c.start, c.bounds, 0); !r.Exhausted {
				t.Error("not exhausted")
			}
		})
	}
}

// TestLossesAddNothing shows that any message may stay under way for ever: with losing as an action there are
// more worlds and not one more state of a server.
func TestLossesAddNothing(t *testing.T) {
	without := explore(t, Start{Name: Fresh}, Bounds{Timeouts: 1}, 0)
	with := explore(t, Start{Name: Fresh}, Bounds{Timeouts: 1, Losses: 1}, 0)
	if !with.Exhausted || with.States <= without.States || with.Servers != without.Servers {
		t.Errorf("losing a message made other servers:\n%v%v", without, with)
	}
}

// TestSameExploration runs one twice.
func TestSameExploration(t *testing.T) {
	bounds := Bounds{Timeouts: 2, Crashes: 1, Duplications: 1, Proposals: 1, States: 20_000}
	start := Start{Figure8, true}
	if first, second := explore(t, start, bounds, 0), explore(t, start, bounds, 0); first != second {
		t.Errorf("the same exploration came to\n%vand\n%v", first, second)
	}
}

// TestBadInput waits for a sentence.
func TestBadInput(t *testing.T) {
	for want, c := range map[string]struct {
		start  Start
		bounds Bounds
	}{
		`there is no situation "figure9"`: {Start{Name: "figure9"}, Bounds{}},
		"a bound of -1":                   {Start{Name: Fresh}, Bounds{Crashes: -1}},
		"a bound of 99":                   {Start{Name: Fresh}, Bounds{Timeouts: 99}},
	} {
		if _, err := Run(c.start, c.bounds, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestProgressStops ends an exploration from outside.
func TestProgressStops(t *testing.T) {
	calls := 0
	report, err := Run(Start{Name: Elected}, Bounds{Timeouts: 2}, func(Report) bool {
		calls++
		return calls < 2
	})
	if err != nil || report.Exhausted || report.Left == 0 || calls != 2 {
		t.Errorf("after %d calls: %v\n%v", calls, err, report)
	}
}

// explore runs an exploration, for some time if one is given, and demands that nothing is violated.
func explore(t *testing.T, start Start, bounds Bounds, long time.Duration) Report {
	t.Helper()
	began := time.Now()
	report, err := Run(start, bounds, func(Report) bool { return long == 0 || time.Since(began) < long })
	var v *Violation
	if errors.As(err, &v) {
		t.Fatalf("%v", v)
	}
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("%v%v, %d states a second", report, took.Round(time.Millisecond),
		int64(report.States)*1000/(took.Milliseconds()+1))
	return report
}
