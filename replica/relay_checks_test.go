package replica

import (
	"flag"
	"fmt"
	"slices"
	"testing"

	"balsa/raft"
)

var (
	oneSeed = flag.Uint64("seed", 0,
		"run TestForwardingUnderRandomSchedules with this seed alone, every step printed")
	allSeeds = flag.Uint64("seeds", 700, "how many seeds TestForwardingUnderRandomSchedules runs")
)

// TestForwardingUnderRandomSchedules: whatever the network and the disks do,
//
//   - no command is applied twice, and none of which its caller was told that it never will be;
//   - a result is that of exactly the caller's own entry, from the caller's own server;
//   - a read sees everything that anybody had committed before it was asked;
//   - everybody who asks is answered once, and in peace soon.
//
// Again with one seed: go test ./replica -run RandomSchedules -seed 17
func TestForwardingUnderRandomSchedules(t *testing.T) {
	if *oneSeed != 0 {
		if _, err := runSeed(*oneSeed, t.Logf); err != nil {
			t.Fatal(err)
		}
		return
	}
	total := map[string]int{}
	for seed := uint64(1); seed <= *allSeeds; seed++ {
		tally, err := runSeed(seed, func(string, ...any) {})
		if err != nil {
			t.Fatalf("%v\nagain: go test ./replica -run RandomSchedules -seed %d", err, seed)
		}
		for what, n := range tally {
			total[what] += n
		}
	}
	demandAll(t, total)
}

// demandAll fails for everything interesting that happened in no schedule.
func demandAll(t *testing.T, total map[string]int) {
	t.Helper()
	interesting := []string{
		"crash", "command forwarded and done", "command forwarded and not accepted",
		"command forwarded to a leader that hands over",
		"command forwarded and replaced", "command forwarded and not answered", "command refused as overload",
		"command done at its leader", "command lost with its leadership", "command delivered again",
		"answer to an earlier start", "answer of an earlier term", "read done at its leader",
		"read forwarded and done", "read refused", "await done",
		"snapshot saved", "snapshot on a full disk", "snapshot arrived", "snapshot restored",
		"command replayed", "change done", "change refused", "change lost with its leadership",
		"transfer done", "transfer refused",
	}
	for _, what := range interesting {
		if total[what] == 0 {
			t.Errorf("in no schedule was there any %s", what)
		}
		t.Logf("%7d %s", total[what], what)
	}
	for what := range total {
		if !slices.Contains(interesting, what) {
			t.Errorf("%q is counted and not on the list", what)
		}
	}
}

func runSeed(seed uint64, trace func(string, ...any)) (tally map[string]int, err error) {
	w := newRelay(seed, trace)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = fmt.Errorf("seed %d: %s", seed, r.sentence)
		case raft.Violation:
			err = fmt.Errorf("seed %d: %w", seed, r)
		default:
			panic(r)
		}
	}()
	for range 500 + w.dice.IntN(1500) {
		w.move()
	}
	w.peace()
	return w.tally, nil
}

// peace ends all faults. Everybody who waits is answered, and every server takes commands and reads.
func (w *relay) peace() {
	w.trace("peace")
	w.calm, w.relayOdds = true, relayOdds{}
	clear(w.cut)
	for _, n := range w.nodes {
		n.hung, n.slow = false, false
		if n.replica == nil {
			w.start(n)
		}
		n.replica.again = 0 // or peace would have to last for as long as the pause after a full disk
	}
	w.pass(100)
	if len(w.open) > 0 {
		failf("in peace, %d callers still wait: %+v", len(w.open), w.open)
	}
	done := w.tally["command forwarded and done"] + w.tally["command done at its leader"]
	for _, n := range w.nodes {
		w.tickets++
		leader, _ := n.replica.Leader()
		command := fmt.Sprint("command ", w.tickets)
		w.open[w.tickets] = caller{at: n.id, command: command, forwarded: leader != n.id}
		w.step(n, Proposed{Ticket: w.tickets, Command: []byte(command)})
		w.ask(n, false)
	}
	w.pass(30)
	now := w.tally["command forwarded and done"] + w.tally["command done at its leader"]
	if len(w.open) > 0 || now != done+len(w.nodes) {
		failf("in peace, %d of %d new commands are done, %d callers wait", now-done, len(w.nodes),
			len(w.open))
	}
	w.once()
	first := w.nodes[0].machine.commands()
	for _, n := range w.nodes {
		if !slices.Equal(n.machine.commands(), first) {
			failf("in peace, server %v has applied %d commands, server 1 %d", n.id, len(n.machine.applied),
				len(first))
		}
	}
}

// pass lets ticks go by in which everything is delivered and carried out.
func (w *relay) pass(ticks int) {
	for range ticks {
		w.now += aTick
		for _, n := range w.nodes {
			w.step(n, Awake{})
		}
		for busy := true; busy; {
			busy = len(w.mail) > 0
			if busy {
				e := w.mail[0]
				w.mail = w.mail[1:]
				w.receive(e)
			}
			for _, n := range w.nodes {
				busy = busy || n.write != nil || n.apply != nil || n.count() > 0
				w.performWrite(n)
				w.performMachine(n)
				w.performSnapshots(n)
			}
		}
	}
}

// applies looks at what a server is about to apply: the same everywhere, no command twice, none that was
// denied.
func (w *relay) applies(entries []raft.Entry) {
	for _, e := range entries {
		if before, known := w.history[e.Index]; known {
			if before.ID() != e.ID() || string(before.Command) != string(e.Command) {
				failf("two servers apply %v and %v", before, e)
			}
			continue
		}
		w.history[e.Index] = e
		if e.Kind == raft.Session {
			w.appliesOnce(e)
		}
		if e.Kind != raft.Normal {
			continue
		}
		command := string(e.Command)
		if place, twice := w.places[command]; twice {
			failf("%q is applied as %v and as %v", command, place, e.ID())
		}
		if fate, was := w.denied[command]; was {
			failf("%q is applied as %v, and its caller was told by fate %d that it never would be", command,
				e.ID(), fate)
		}
		w.places[command] = e.ID()
	}
}

// answered looks at an answer: one for each question, at the server where it was asked.
func (w *relay) answered(n *node, a Answer) {
	q, waits := w.open[a.Ticket]
	if !waits || q.at != n.id {
		failf("server %v answers ticket %d twice, or unasked: %+v", n.id, a.Ticket, a)
	}
	delete(w.open, a.Ticket)
	if q.asks != "" {
		w.changeAnswered(q, a)
		return
	}
	if q.command == "" {
		w.readAnswered(n, q, a)
		return
	}
	w.countCommand(q, a)
	if did, _ := a.Fate.Applied(); q.keyed && did {
		w.keyedDone(n, q, a)
	}
	if q.keyed {
		return
	}
	place, applied := w.places[q.command]
	switch did, known := a.Fate.Applied(); {
	case did:
		if !applied || place != a.Entry || string(a.Result) != w.resultAt(n, a.Entry) {
			failf("the caller of %q, which stands at %v, is told of %v and gets %q", q.command, place,
				a.Entry, a.Result)
		}
	case known:
		if applied {
			failf("%q is applied as %v, and its caller is told by fate %d that it never was", q.command,
				place, a.Fate)
		}
		w.denied[q.command] = a.Fate
	}
}

// resultAt is what this server's own machine made of an entry.
func (w *relay) resultAt(n *node, id raft.EntryID) string {
	for i, e := range n.machine.applied {
		if e.ID() == id {
			return resultOf(e, i+1)
		}
	}
	return "nothing"
}

func (w *relay) readAnswered(n *node, q caller, a Answer) {
	if a.Fate != Done {
		w.note("read refused")
		return
	}
	needs, what := q.committed, "read done at its leader"
	switch {
	case q.awaits > 0:
		needs, what = q.awaits, "await done"
	case q.forwarded:
		what = "read forwarded and done"
	}
	if n.replica.Applied() < needs || a.Entry.Index < needs {
		failf("a read at server %v sees %d and is told of %d; %d was committed before it was asked",
			n.id, n.replica.Applied(), a.Entry.Index, needs)
	}
	w.note(what)
}

func (w *relay) countCommand(q caller, a Answer) {
	switch {
	case a.Fate == Overloaded:
		w.note("command refused as overload")
	case !q.forwarded && a.Fate == Done:
		w.note("command done at its leader")
	case !q.forwarded && a.Fate == LeadershipLost:
		w.note("command lost with its leadership")
	case !q.forwarded:
	case a.Fate == Done:
		w.note("command forwarded and done")
	case a.Fate == NotLeader:
		w.note("command forwarded and not accepted")
	case a.Fate == Replaced:
		w.note("command forwarded and replaced")
	case a.Fate == Unanswered:
		w.note("command forwarded and not answered")
	case a.Fate == HandingOver:
		w.note("command forwarded to a leader that hands over")
	default:
		failf("a forwarded command ends in fate %d", a.Fate)
	}
}

// watch counts what is rare among the messages that arrive.
func (w *relay) watch(e raft.Envelope) {
	n := w.nodes[e.To-1]
	if n.replica == nil {
		return
	}
	switch m := e.Message.(type) {
	case raft.ForwardProposal:
		if n.replica.met(e.From.Node, m) {
			w.note("command delivered again")
		}
	case raft.ForwardProposalResponse:
		if m.Start != n.config.Identity.Start {
			w.note("answer to an earlier start")
		}
		if _, term := n.replica.Leader(); m.Leader < term {
			w.note("answer of an earlier term")
		}
	}
}

// met reports whether a forwarded command is on one of the lists of what was taken. It changes none of them.
func (r *Replica) met(from raft.NodeID, m raft.ForwardProposal) bool {
	for _, g := range r.reigns {
		for _, o := range g.origins {
			if _, known := o.numbers[m.Number]; known && g.term == m.Leader && o.node == from &&
				o.start == m.Start {
				return true
			}
		}
	}
	return false
}
