package sim

import "fmt"

// Reads by lease (thesis §6.4.1). They are as true as any linearizable read as long as no clock errs by more
// than the bound that the configuration states. So a run that has them has clocks that keep to the bound, to
// both ends of it, and none that jumps or stands still.

// leaseDrift is the bound on the drift of clocks, in millionths: the largest that there is, and as far as
// the rates of clocks are drawn.
const leaseDrift = 200_000

// drawLeases draws, in an eighth of the runs of those profiles in which clocks err or members change, how
// often clients read by lease.
func drawLeases(o *Options, draw func(uint64) roll, profile string) {
	if (profile == "chaos" || profile == "membership") && draw(70).below(8) == 0 {
		o.ByLease = 50 + int(draw(71).below(51))
	}
}

// switchLeases has an administrator switch leases on, as soon as the cluster takes it, and off again now and
// then.
func switchLeases(s *swarm) {
	leader := s.world.leads()
	if leader == nil {
		return
	}
	o := &s.world.ledger.servers[leader.id-1]
	switch drift := s.world.ledger.inForce(&o.disk, o.log).LeaseDrift; {
	case drift == 0:
		s.do(Op{Kind: Change, Text: fmt.Sprintf("drift %d", leaseDrift)})
	case s.roll().below(32) == 0:
		s.do(Op{Kind: Change, Text: "drift 0"})
	}
}

// errsBeyondLeases reports whether an operation makes a clock err by more than reads by lease bear.
func (o *Op) errsBeyondLeases() bool {
	return o.Kind == Clock && o.Mode != "wall" &&
		(o.For > 0 || o.Value != 0 && (o.Value < exact-leaseDrift || o.Value > exact+leaseDrift))
}
