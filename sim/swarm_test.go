package sim

import (
	"slices"
	"strings"
	"testing"

	"balsa/raft"
)

// tally counts in how many seeds something was seen.
type tally []Count

func (t *tally) add(seen []Count) {
	for _, c := range seen {
		*t = counted(*t, c.Kind)
	}
}

func (t tally) of(kind string) uint64 {
	for _, c := range t {
		if c.Kind == kind {
			return c.Times
		}
	}
	return 0
}

// decisions counts what servers decided for a reason that shows nowhere else.
func decisions(seen *[]Count) func(Record) {
	return func(r Record) {
		switch e := r.Event.(type) {
		case raft.BecameFollower:
			if e.Was == raft.Leader {
				*seen = counted(*seen, "leader steps down: "+e.Why.String())
			}
		case raft.CommitHeld:
			*seen = counted(*seen, "commit held: "+e.Why.String())
		case raft.VoteDenied:
			*seen = counted(*seen, "vote denied: "+e.Why.String())
		case raft.AppendRejected:
			*seen = counted(*seen, "append rejected: "+e.Why.String())
		}
	}
}

// A run in which nothing happened is no evidence. Each kind of fault must be met in one seed of a hundred at
// least, and so must what faults lead to: a fault that is injected into a process that is down, or into a
// disk that nobody reads, does nothing.
func TestChaosHasEveryFaultInEveryHundredthSeed(t *testing.T) {
	t.Parallel()
	hasEveryFault(t, "chaos", slices.Concat(faultsOfChaos(), faultsOfAdministrators()),
		slices.Concat(effectsOfChaos(), effectsOfAdministrators()))
	if len(faultsOfChaos()) < 20 {
		t.Errorf("%d kinds of faults, there must be at least 20", len(faultsOfChaos()))
	}
}

func TestMembershipHasEveryFaultInEveryHundredthSeed(t *testing.T) {
	t.Parallel()
	hasEveryFault(t, "membership", slices.Concat(faultsOfAdministrators(), faultsOfMembership()),
		slices.Concat(effectsOfAdministrators(), effectsOfMembership()))
}

func hasEveryFault(t *testing.T, profile string, wantFaults, wantEffects []string) {
	t.Helper()
	const seeds = 200
	var faults, effects tally
	for seed := range uint64(seeds) {
		var decided []Count
		w, err := New(Drawn(profile, seed), Parts{Observe: decisions(&decided)})
		if err != nil {
			t.Fatal(err)
		}
		r := w.Run()
		if r.Violation != nil {
			t.Fatalf("seed %d: %v", seed, r.Violation)
		}
		faults.add(r.Counts)
		effects.add(r.Effects)
		effects.add(decided)
	}
	seldom := func(what string, all tally, kinds []string) {
		for _, kind := range kinds {
			if n := all.of(kind); 100*n < seeds {
				t.Errorf("%s %q was seen in %d of %d seeds", what, kind, n, seeds)
			}
		}
	}
	seldom("fault", faults, wantFaults)
	seldom("effect", effects, wantEffects)
	t.Logf("%d kinds of faults: %v", len(faults), faults)
	t.Logf("%d effects: %v", len(effects), effects)
}

func faultsOfAdministrators() []string {
	return strings.Fields("change transfer join move clone stray")
}

func effectsOfAdministrators() []string {
	return []string{"learner added", "learner promoted", "voter demoted", "member removed", "leader removed",
		"several members changed at once", "leadership handed over",
		"change of unknown fate", sawMoved, sawNobody, sawStray, sawAstray,
		"change refused: " + raft.ChangeOpen.String(), "change refused: " + raft.VotersSilent.String(),
		"change refused: " + raft.LearnerBehind.String(), "transfer refused: " + raft.NoTarget.String()}
}

func faultsOfMembership() []string {
	return strings.Fields("wipe rollback image rot-flip kill-power restart")
}

func effectsOfMembership() []string {
	all := []string{"address of a member changed", sawStranger, sawReceived, sawLease, sawDrift}
	for _, why := range []raft.Refusal{raft.NotCommittedInTerm, raft.NoVoterLeft, raft.AlreadyMember,
		raft.WouldBePromoted, raft.Transferring} {
		all = append(all, "change refused: "+why.String())
	}
	for _, why := range []raft.Refusal{raft.TransferExpired, raft.Transferring} {
		all = append(all, "transfer refused: "+why.String())
	}
	return all
}

func faultsOfChaos() []string {
	return strings.Fields(`
		apply-panic apply-slow clock-frozen clock-jump clock-rate clock-wall clog clog-swizzle corrupt
		corrupt-cut crash-in-recovery cut-bridge cut-halves cut-isolate cut-leader-deaf cut-leader-mute
		cut-one-way cut-ring delay disk-fail-create disk-fail-list disk-fail-open disk-fail-read
		disk-fail-remove disk-fail-rename disk-fail-sync disk-fail-sync-directory disk-fail-write
		disk-full disk-stall drop dup dup-late flags image kill kill-in-call kill-power kill-send lag
		load lose-reply restart rollback rot-flip rot-lose rot-misdirect rot-stale rot-truncate rot-zero
		slow snapshot snapshot-slow stall wipe`)
}

func effectsOfChaos() []string {
	all := []string{
		sawTornWrite, sawLostBytes, sawRotRepaired, sawRepaired, sawRotHarmless, sawRotPassed,
		sawStranger, sawDamage, sawStale,
		sawLost, sawCut, sawDeposed, sawCutElection, sawTruncation, sawBusy, sawOverloaded,
		sawReadRefused, sawLease, sawDrift, sawFullDisk, sawFailedDisk, sawFailedStart, sawPanic,
		sawBrokenWrite,
		sawBrokenStart, sawBrokenSend, sawSealRefused, sawSaved, sawNotSaved, sawReceived, sawResumed,
		sawRestored, sawElsewhere, sawRepeated, sawGone, sawReused, sawNumberGone,
		sawPushedOut, sawTooMany, sawExpired, sawForgotten, sawTimePass,
		sawBrokenSave, sawBrokenChunk, sawRestarted, sawReleased, sawTickWithin,
		"leader steps down: " + raft.QuorumLost.String(), "leader steps down: " + raft.DiskStalled.String(),
		"leader steps down: " + raft.HigherTerm.String(), "commit held: " + raft.OldTerm.String(),
		"vote denied: " + raft.LogNotUpToDate.String(), "vote denied: " + raft.AlreadyVoted.String(),
		"vote denied: " + raft.LeaderHeard.String(), "append rejected: " + raft.Gap.String(),
		"append rejected: " + raft.Conflict.String(), "append rejected: " + raft.StaleTerm.String()}
	for m := range moments {
		all = append(all, m.effect())
	}
	return all
}

// Every fault of a profile's list is reachable: none is listed that never does anything.
func TestEveryProfileRunsAndFindsNothing(t *testing.T) {
	t.Parallel()
	names, _ := Profiles()
	for _, name := range names {
		var seen tally
		for seed := range uint64(10) {
			w, err := New(Drawn(name, 1000+seed), Parts{})
			if err != nil {
				t.Fatal(err)
			}
			r := w.Run()
			if r.Violation != nil {
				t.Errorf("%s, seed %d: %v", name, 1000+seed, r.Violation)
			}
			seen.add(r.Counts)
		}
		if (name == "calm") != (len(seen) == 0) {
			t.Errorf("in ten seeds of %s these faults were seen: %v", name, seen)
		}
	}
}

// Beyond what can be survived everything halts: with a majority of the disks rotten nothing more is
// committed, and what was told before stays true.
func TestBeyondTheFaultModelAllHaltAndNobodyLies(t *testing.T) {
	t.Parallel()
	const seeds = 60
	halted := 0
	for seed := range uint64(seeds) {
		w, err := New(Drawn("beyond", seed), Parts{})
		if err != nil {
			t.Fatal(err)
		}
		r := w.Run()
		if r.Violation != nil {
			t.Errorf("seed %d: %v", seed, r.Violation)
		}
		if halts(r) {
			halted++
		}
	}
	if halted < seeds/10 {
		t.Errorf("in %d of %d seeds more disks were lost than can be survived: too few to be evidence",
			halted, seeds)
	}
}

func halts(r Result) bool {
	return slices.ContainsFunc(r.Effects, func(c Count) bool { return c.Kind == sawHaltedForAll })
}

// A majority of disks that rot while their servers are up and then restart, one after the other: each is
// refused, and the ones that are left answer nothing but no and unknown.
func TestARottenMajorityHalts(t *testing.T) {
	o := DefaultOptions()
	o.Faulty, o.Healed = 20*Second, 10*Second
	o.SegmentBytes = 1 << 10
	o.Limits = raft.Limits{}
	total := 0
	for damage := range 6 {
		mode := [...]string{"flip", "zero", "truncate", "lose", "misdirect", "stale"}[damage]
		s := Spec{Version: SpecVersion, Seed: uint64(damage), Options: o}
		for id := range raft.NodeID(3) {
			at := 10*Second + Time(id)*100*Millisecond
			s.Script = append(s.Script, Op{At: at, Kind: Kill, Node: id + 1},
				Op{At: at + 1, Kind: Rot, Node: id + 1, Mode: mode, Nth: uint64(1000*damage) + uint64(id)},
				Op{At: at + Second, Kind: Restart, Node: id + 1})
		}
		w, err := New(s, Parts{})
		if err != nil {
			t.Fatal(err)
		}
		w.RunUntil(o.Faulty)
		refused := 0
		for _, s := range w.servers {
			if s.trouble.gone {
				refused++
			}
		}
		r := w.Run()
		if r.Violation != nil {
			t.Errorf("%s: %v", mode, r.Violation)
		}
		if r.Done.OK == 0 {
			t.Errorf("%s: nothing was ever acknowledged", mode)
		}
		if all := refused == 3; all != halts(r) {
			t.Errorf("%s: %d of 5 disks are refused, and it is %v that all halts", mode, refused, halts(r))
		}
		total += refused
	}
	if total < 9 { // a copy of the identity can be made anew: that disk has lost nothing
		t.Errorf("%d of 18 damaged disks were refused: too few to be evidence", total)
	}
}
