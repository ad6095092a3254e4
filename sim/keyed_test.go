package sim

import (
	"fmt"
	"slices"
	"testing"

	"balsa/raft"
)

// Chance is keyed: what an intervention does not reach goes on as if it had never been.
//
// Each pair is a run and the same run with one operation more or one less. Touched is, from then on, whom
// the operation met, and whoever received something from somebody touched, or would have received it in the
// other run. Until the moment in which they are touched, servers and clients and the links between them must
// have the same records in both runs, one by one; only positions may differ, as those count everything that
// happens anywhere. It was seen to fail with one stream of chance for all draws: a client that had nothing
// to do with a stalled server thought for another time.
func TestAnInterventionChangesOnlyItsCausalFuture(t *testing.T) {
	const seeds, each = 100, 10
	compared, untouched := 0, 0
	for seed := range uint64(seeds) {
		base := recordedScript(seed)
		one := watchRun(t, base)
		for i := range uint64(each) {
			r := chance(seed).draw(forSwarm, 7, 7, i)
			changed, op := meddled(base, one, r)
			two := watchRun(t, changed)
			c := contrast(base.Options, op, one, two)
			if c.sentence != "" {
				t.Fatalf("seed %d, with and without %q at %v: %s", seed, op, op.At, c.sentence)
			}
			compared += c.after
			if c.spared > 0 {
				untouched++
			}
		}
	}
	t.Logf("%d records after the first touch were the same; in %d of %d pairs somebody was never touched",
		compared, untouched, seeds*each)
	if compared < 100*seeds*each || untouched < seeds*each/2 {
		t.Errorf("too little was compared to be evidence")
	}
}

// recordedScript is what a swarm made of a seed, as a script of which operations can be taken: without those
// whose place in the fault model depends on what all the others have met, and without load, under which so
// many ask that keys are given up: what a key is called then depends on all clients. Nor does it read by
// lease: that bears not every clock, and who is asked to switch leases on is whoever leads.
func recordedScript(seed uint64) Spec {
	spec := Drawn("chaos", seed)
	spec.Options.Faulty, spec.Options.Healed, spec.Options.ByLease = 4*Second, 0, 0
	w, err := New(spec, Parts{})
	if err != nil {
		panic(err)
	}
	spec = w.Run().Spec
	spec.Digests = nil
	spec.Script = slices.DeleteFunc(spec.Script, func(op Op) bool {
		return op.Kind == Rollback || op.Kind == Wipe || op.Kind == Rot || op.Kind == Load
	})
	return spec
}

// watchRun returns all records of a run; that of position p is at p-1.
func watchRun(t *testing.T, spec Spec) (all []Record) {
	t.Helper()
	w, err := New(spec, Parts{Observe: func(r Record) {
		if r.Kind != Decided {
			all = append(all, r)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if w.RunUntil(spec.Options.Faulty); w.violation != nil {
		t.Fatalf("seed %d: %v", spec.Seed, w.violation)
	}
	return all
}

// meddled is a run with one operation less, or with one more.
func meddled(base Spec, records []Record, r roll) (Spec, Op) {
	script := slices.Clone(base.Script)
	if n := uint64(len(script)); n > 0 && r.below(3) == 0 {
		at := r.again().below(n)
		op := script[at]
		base.Script = slices.Delete(script, int(at), int(at)+1)
		if op.ofMessage() {
			op.At = 0 // the message decides when
		}
		return base, op
	}
	op := invented(base.Options, records, r.again())
	base.Script = append(script, op)
	return base, op
}

// invented is an operation by chance, to anybody at any time.
func invented(o Options, records []Record, r roll) Op {
	kinds := []OpKind{Drop, Drop, Duplicate, Delay, Corrupt, Kill, Restart, Stall, Slow, DiskStall, Clock,
		Cut, Clog, ApplySlow, Timeout, LoseReply}
	draw := func(n int) int { r = r.again(); return int(r.below(uint64(n))) }
	op := Op{Kind: kinds[draw(len(kinds))], At: Time(draw(int(o.Faulty)))}
	sent := slices.DeleteFunc(slices.Clone(records), func(r Record) bool { return r.Kind != Sent })
	if len(sent) == 0 { // whoever is alone sends nothing
		return Op{At: op.At, Kind: Kill, Node: 1}
	}
	op.Node = raft.NodeID(draw(o.Nodes) + 1)
	switch op.Kind {
	case Drop, Duplicate, Delay, Corrupt:
		m := sent[draw(len(sent))]
		op.Node, op.Peer, op.Nth, op.At = m.Node, m.Peer, m.N, m.Time
		op.For = Time(draw(int(Second)))
	case LoseReply:
		op.Node, op.Nth, op.At = raft.NodeID(draw(o.Clients)+1), uint64(draw(5)+1), 0
	case Slow, ApplySlow:
		op.Value = 50
	case DiskStall:
		op.For = Second
	case Clock:
		op.Value, op.For = int64(900_000+draw(200_000)), Time(draw(int(Second)))
	case Cut, Clog:
		op.Links = []Link{{From: op.Node, To: op.Node%raft.NodeID(o.Nodes) + 1}}
		op.Node, op.For = 0, Second
	}
	return op
}

// untilTheEnd is a time after the end of every run.
const untilTheEnd = 1000 * Hour

// touch is who is touched, and from when on.
type touch struct {
	nodes   int
	servers []Time
	clients []Time
	links   []Time // from × to
	message messageKey
}

func newTouch(o Options, op Op) *touch {
	c := &touch{nodes: o.Nodes + o.Spares}
	for range c.nodes {
		c.servers = append(c.servers, untilTheEnd)
	}
	for range o.Clients {
		c.clients = append(c.clients, untilTheEnd)
	}
	for range c.nodes * c.nodes {
		c.links = append(c.links, untilTheEnd)
	}
	switch {
	case op.ofMessage():
		c.message = messageKey{op.Node, op.Peer, op.Nth}
	case op.Kind == Load:
		for i := range c.clients {
			c.clients[i] = op.At
		}
	case len(op.Links) > 0:
		for _, l := range op.Links {
			*c.link(l.From, l.To) = op.At
		}
	case op.byAdministrator(): // whoever leads is asked, or somebody else is met at an address
		for i := range c.servers {
			c.servers[i] = op.At
		}
	case op.Node == raft.None: // heal everything
		for i := range c.links {
			c.links[i] = op.At
		}
	default:
		c.servers[op.Node-1] = op.At
	}
	return c
}

func (o *Op) byAdministrator() bool {
	return slices.Contains([]OpKind{Change, Transfer, Join, Move, Clone, Stray}, o.Kind)
}

func (c *touch) link(from, to raft.NodeID) *Time { return &c.links[int(from-1)*c.nodes+int(to-1)] }

// spread follows what is touched through the records of both runs, in the order of time: what arrives in one
// of them and not in the other is missed there.
func (c *touch) spread(one, two []Record) {
	runs := [2][]Record{one, two}
	var at [2]int
	for at[0] < len(one) || at[1] < len(two) {
		from := 0
		if at[0] == len(one) || at[1] < len(two) && two[at[1]].Time < one[at[0]].Time {
			from = 1
		}
		r := runs[from][at[from]]
		at[from]++
		c.follow(r, runs[from])
	}
}

func (c *touch) follow(r Record, run []Record) {
	reach := func(whom *Time) { *whom = min(*whom, r.Time) }
	switch r.Kind {
	case Delivered, Dropped:
		if c.onItsWay(r, r.Peer, r.Node, run) {
			reach(c.link(r.Peer, r.Node))
			if r.Kind == Delivered {
				reach(&c.servers[r.Node-1])
			}
		}
	case Returned: // the peer is where nobody listened
		if c.servers[r.Peer-1] <= r.Time || c.onItsWay(r, r.Node, r.Peer, run) {
			reach(&c.servers[r.Node-1])
		}
	case Taken, TimedOut: // a client that gives up closes its connection
		if c.clients[r.Peer-1] <= r.Time {
			reach(&c.servers[r.Node-1])
		}
	case Replied, Heard:
		lost := c.message == messageKey{r.Peer, raft.None, r.N}
		if r.Kind == Heard && (lost || c.servers[r.Node-1] <= run[r.Cause-1].Time) {
			reach(&c.clients[r.Peer-1])
		}
	}
}

// onItsWay reports whether a message carries, or lacks, something of what is touched.
func (c *touch) onItsWay(r Record, from, to raft.NodeID, run []Record) bool {
	sent := r.Time
	if s := run[r.Cause-1]; r.Cause > 0 && s.Kind == Sent {
		sent = s.Time
	}
	return c.servers[from-1] <= sent || *c.link(from, to) <= r.Time ||
		c.message == messageKey{from, to, r.N}
}

// who is whose record it is, and until when it must be the same in both runs.
func (c *touch) who(r Record) (name string, until Time) {
	switch r.Kind {
	case Intervened, Replied: // by a server that may be down, at a request that nobody took: the client hears
		return "", 0
	case Called, Heard, TimedOut:
		return fmt.Sprintf("client %d", r.Peer), c.clients[r.Peer-1]
	case Dropped:
		if r.Cause == 0 {
			return "", 0
		}
		return fmt.Sprintf("link %v→%v", r.Peer, r.Node),
			min(*c.link(r.Peer, r.Node), c.servers[r.Peer-1], c.servers[r.Node-1])
	}
	return fmt.Sprintf("n%v", r.Node), c.servers[r.Node-1]
}

// comparison is what comparing two runs came to.
type comparison struct {
	sentence string // what differs and must not
	begin    Time   // when the first of them was touched
	after    int    // records that are the same, later than that
	spared   int    // servers and clients that were never touched
}

func contrast(o Options, op Op, one, two []Record) (c comparison) {
	touched := newTouch(o, op)
	touched.spread(one, two)
	c.begin = min(slices.Min(touched.servers), slices.Min(touched.links))
	for _, at := range slices.Concat(touched.servers, touched.clients) {
		c.begin = min(c.begin, at)
		if at == untilTheEnd {
			c.spared++
		}
	}
	first, second := touched.lives(one), touched.lives(two)
	for _, l := range first {
		c.hold(l, named(second, l.name))
	}
	for _, l := range second {
		c.hold(l, named(first, l.name))
	}
	return c
}

// hold demands that all the records of one life are those of the other.
func (c *comparison) hold(l, other *life) {
	if c.sentence != "" {
		return
	}
	for i, r := range l.records {
		if i >= len(other.records) || r != other.records[i] {
			c.sentence = fmt.Sprintf("%s is not touched before %v, and its record %d is %v in one run only",
				l.name, l.until, i, r)
			return
		}
		if r.Time > c.begin {
			c.after++
		}
	}
}

func named(lives []*life, name string) *life {
	for _, l := range lives {
		if l.name == name {
			return l
		}
	}
	return &life{}
}

// life is what happens to one of them until it is touched.
type life struct {
	name    string
	until   Time
	records []Record
}

func (c *touch) lives(run []Record) (lives []*life) {
	for _, r := range run {
		name, until := c.who(r)
		if name == "" || r.Time >= until {
			continue
		}
		at := slices.IndexFunc(lives, func(l *life) bool { return l.name == name })
		if at < 0 {
			at = len(lives)
			lives = append(lives, &life{name: name, until: until})
		}
		bare := Record{Kind: r.Kind, Node: r.Node, Peer: r.Peer, N: r.N, Hash: r.Hash}
		bare.Time = r.Time
		lives[at].records = append(lives[at].records, bare)
	}
	return lives
}
