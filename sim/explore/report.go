package explore

import (
	"fmt"
	"strings"
)

// Report says how far an exploration came.
type Report struct {
	Start  Start
	Bounds Bounds

	Depth       int // the most actions from the start to a world
	States      int // different worlds
	Transitions int // actions taken, those to a world seen before among them
	Idle        int // arrivals that changed nothing, and were not taken
	Stale       int // answers that could change nothing any more, and were taken out
	Checked     int // states of servers to which such answers were given, to see that they change nothing
	Left        int // worlds found whose actions were not taken
	Exhausted   bool
	Actions     [kinds]int // taken, by kind

	Servers  int // different states of single servers
	Steps    int // different steps of single servers: how often a core was run
	Messages int // different messages
	Facts    int // different histories
}

func (e *explorer) sum() {
	r := &e.report
	r.States, r.Servers, r.Steps = e.seen.count, len(e.servers), len(e.outcomes)
	r.Messages, r.Facts = len(e.post.letters), len(e.ledger.all)
}

// String is the report in lines, with what was not covered at its end.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v; %s\n", r.Start, r.Bounds)
	fmt.Fprintf(&b, "depth %d, %d states, %d transitions (%d idle arrivals beside them)\n", r.Depth, r.States,
		r.Transitions, r.Idle)
	fmt.Fprintf(&b, "made of %d states of servers, %d steps of cores, %d messages, %d histories\n", r.Servers,
		r.Steps, r.Messages, r.Facts)
	fmt.Fprintf(&b, "%d late answers taken out; %d pairs of server and late answer checked\n", r.Stale,
		r.Checked)
	b.WriteString("actions:")
	for k := range kinds {
		fmt.Fprintf(&b, " %v %d;", k, r.Actions[k])
	}
	fmt.Fprintf(&b, "\n%s\n", r.notCovered())
	return b.String()
}

// String lists the bounds.
func (b Bounds) String() string {
	return fmt.Sprintf("at most: timeouts %d, crashes %d, losses %d, duplications %d, heartbeats %d, "+
		"proposals %d; window %d", b.Timeouts, b.Crashes, b.Losses, b.Duplications, b.Heartbeats, b.Proposals,
		max(b.Window, 1))
}

// notCovered names what the exploration says nothing about.
func (r Report) notCovered() string {
	var not []string
	if r.Left > 0 {
		not = append(not, fmt.Sprintf("what follows %d of the states", r.Left))
	}
	limits := r.Bounds.limits()
	for k := range kinds {
		switch {
		case k >= duplicate && limits[k] == 0 && k != lose:
			not = append(not, fmt.Sprintf("any %v", k))
		case r.Actions[k] == 0 && (k < duplicate || limits[k] > 0):
			not = append(not, fmt.Sprintf("%v, which never was possible", k))
		}
	}
	text := "exhausted within the bounds"
	if !r.Exhausted {
		text = "not exhausted"
	}
	if len(not) > 0 {
		text += "; not covered: " + strings.Join(not, ", ")
	}
	return text
}
