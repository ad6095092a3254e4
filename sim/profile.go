package sim

import (
	"fmt"
	"slices"
	"strings"
)

// profile is which faults a swarm may have the idea of. Each seed draws its own subset of them and its own
// rates: a run in which everything happens hides what happens only where one thing does not.
type profile struct {
	name   string
	title  string
	faults []fault
	admins []fault // what administrators do, in runs in which servers stand by
	beyond bool    // more may be damaged than can be survived: then everything must halt
	// Of each message, in a million, at most.
	drop, repeat, delay, replay, corrupt, loseReply int
}

// profiles are in the order in which they are shown.
func profiles() []profile {
	processes := []fault{killOne, killPower, killInCall, strikeAtMoment, strikeAtMoment, killInSend,
		restartAll, restartMost, crashLoop, stallOne, slowOne, flagsOne, flagsAll}
	network := []fault{isolateOne, cutHalves, cutOneWay, cutBridge, cutRing, muteLeader, deafLeader,
		clogLinks, swizzle, wideArea, slowLinks}
	broken := []fault{stallDisk, failWrite, failSync, failStart, fillDisk, rotDisk, wipeDisk, rollBack}
	disks := slices.Concat(broken, []fault{killPower, killInCall, strikeAtMoment, crashLoop})
	others := []fault{clockRate, clockJump, wallJump, freezeClock, slowApply, panicApply, burst,
		slowKeeping, takeOne}
	admins := []fault{addOne, addOne, promoteOne, demoteOne, removeOne, removeOne, changeMany,
		changeInSnapshot, forceOne, switchPromotion, transferOne, transferOne, replaceOne, replaceOne,
		replaceOne, moveOne, moveAll, cloneOne, strayOne}
	rotten := []fault{stallDisk, rotDisk, rotMany, rotMany, wipeDisk, rollBack}
	return []profile{
		{name: "calm", title: "nothing fails"},
		{name: "network", title: "messages are lost, repeated, late, damaged; links are cut",
			faults: network, loseReply: 100_000,
			drop: 300_000, repeat: 500_000, delay: 200_000, replay: 2000, corrupt: 20_000},
		{name: "crash", title: "processes end and start again, machines lose their power",
			faults: processes, drop: 20_000, loseReply: 20_000},
		{name: "disk", title: "disks stall, fail, fill up, rot, and are put back", faults: disks},
		{name: "chaos", title: "all of it", faults: slices.Concat(processes, network, broken, others),
			admins: admins, loseReply: 100_000, drop: 300_000, repeat: 500_000, delay: 200_000,
			replay: 2000, corrupt: 20_000},
		{name: "membership", title: "servers join, leave, are replaced and move; leaders hand over",
			faults: []fault{killOne, killPower, restartAll, stallOne, slowOne, isolateOne, cutHalves,
				cutOneWay, slowLinks, rotDisk, wipeDisk, rollBack, slowApply},
			admins: admins, loseReply: 50_000, drop: 100_000, repeat: 200_000, delay: 100_000, replay: 2000},
		{name: "beyond", title: "more disks rot than can be survived: halt, and never lie", beyond: true,
			faults: slices.Concat(processes, network[:4], rotten), drop: 100_000, repeat: 100_000,
			delay: 100_000},
	}
}

// Profiles names them all, each with a title.
func Profiles() (names, titles []string) {
	for _, p := range profiles() {
		names, titles = append(names, p.name), append(titles, p.title)
	}
	return names, titles
}

func profileNamed(name string) (profile, error) {
	all := profiles()
	at := slices.IndexFunc(all, func(p profile) bool { return p.name == name })
	if at < 0 {
		names, _ := Profiles()
		return profile{}, fmt.Errorf("no profile is named %q; there are %s", name, strings.Join(names, ", "))
	}
	return all[at], nil
}

// Drawn returns the run that a profile makes of a seed: in all but the calm one, the extremes of a cluster's
// options are drawn too, so that production code needs no hooks to be driven to its edges.
func Drawn(profile string, seed uint64) Spec {
	o := DefaultOptions()
	s := Spec{Version: SpecVersion, Seed: seed, Profile: profile, Options: o}
	if profile == "calm" {
		return s
	}
	c := chance(seed)
	draw := func(n uint64) roll { return c.draw(forSwarm, 0, 1, n) }
	o.Nodes = [...]int{3, 3, 3, 5, 5, 5, 5, 4, 4, 7, 2, 1}[draw(1).below(12)]
	o.Heartbeat = 5 + int(draw(2).below(11))
	o.ElectionMin = o.Heartbeat * (2 + int(draw(3).below(3)))
	// Timeouts that hardly differ split one election after the other, for ever when all must agree (§9.3).
	o.ElectionMax = o.ElectionMin + o.ElectionMin/2 + int(draw(4).below(uint64(o.ElectionMin)))
	o.Limits.Window = 1 + int(draw(5).below(1<<draw(6).below(7)))
	o.Limits.AppendBytes = 1 << (6 + draw(7).below(12))
	o.MaxApplyBytes = 1 << (5 + draw(8).below(12))
	o.SegmentBytes = 1 << (9 + draw(9).below(8))
	o.LatencyMean = draw(10).between(100*Microsecond, 20*Millisecond) >> draw(11).below(4)
	o.Latency = max(o.LatencyMean/4, 50*Microsecond)
	o.DiskMean = draw(12).between(50*Microsecond, 20*Millisecond) >> draw(13).below(4)
	o.Clients = 1 + int(draw(14).below(10))
	o.Thinking = draw(15).between(50*Millisecond, Second)
	o.Keys = 1 + int(draw(16).below(20))
	o.Largest = 1 << draw(17).below(12)
	o.Astray = int(draw(18).below(60))
	o.Limits.UncommittedBytes = 1 << (7 + draw(20).below(14))
	o.Limits.InFlightBytes = 1 << (7 + draw(21).below(12))
	o.Limits.BacklogBytes = 1 << (7 + draw(22).below(14))
	if draw(23).below(16) == 0 { // values up to the largest
		o.Largest, o.Clients, o.Keys = 1<<(14+draw(24).below(7)), 2, 3
	}
	if draw(26).below(32) == 0 { // many at once, so that much is on its way
		o.Clients, o.Thinking, o.Largest = 50, 2*Second, 100
	}
	drawSnapshots(&o, draw)
	drawRepetition(&o, draw)
	drawSpares(&o, draw, profile)
	drawLeases(&o, draw, profile)
	if draw(80).below(4) == 0 {
		o.Turn = draw(81).between(10*Microsecond, longestTurn)
	}
	o.NoCheckQuorum = draw(25).below(16) == 0
	o.NoPreVote = draw(19).below(8) == 0
	s.Options = o
	return s
}

// drawSpares draws how many servers stand by, so that members can change: always where the profile is about
// that, and in a third of the runs in which all of it may happen.
func drawSpares(o *Options, draw func(uint64) roll, profile string) {
	if profile == "membership" || profile == "chaos" && draw(61).below(3) == 0 {
		o.Nodes = min(o.Nodes, 5)
		o.Spares = 3 + int(draw(60).below(uint64(9-o.Nodes-2)))
	}
}

// drawSnapshots draws when snapshots are taken, from after every entry to never, and how they are cut and
// sent.
func drawSnapshots(o *Options, draw func(uint64) roll) {
	o.Limits.SnapshotBytes = 1 << draw(30).below(17)
	if draw(31).below(6) == 0 {
		o.Limits.SnapshotBytes = -1
	}
	o.Limits.TrailingBytes = 1 << draw(32).below(15)
	if draw(33).below(3) == 0 {
		o.Limits.TrailingBytes = -1
	}
	// A state of fifty values is to be sent in some hundred pieces, and some seconds, or no run ends in time.
	o.Limits.ChunkBytes = max(1<<(6+draw(34).below(9)), o.Largest/8)
	o.SnapshotChunk = 1 << (4 + draw(35).below(9))
	if draw(36).below(4) == 0 {
		o.SnapshotRate = max(1<<(10+draw(37).below(10)), 8*int64(o.Largest))
	}
	o.Keeping = draw(38).between(100*Microsecond, 50*Millisecond) >> draw(39).below(5)
}

// drawRepetition draws, in half of the runs, how clients ask again, and what ends by log time: some of it
// within moments, some never in a run.
func drawRepetition(o *Options, draw func(uint64) roll) {
	if draw(40).below(2) == 0 {
		return
	}
	o.InSessions = int(draw(41).below(101))
	o.UnderKeys = int(draw(42).below(uint64(101 - o.InSessions)))
	o.Retries = int(1 + draw(43).below(8))
	o.SessionLife = 200 * Millisecond << draw(44).below(16)
	o.KeyLife = 50 * Millisecond << draw(45).below(16)
	o.Increments = int(draw(46).below(50))
	if draw(47).below(2) == 0 {
		o.LastingPuts, o.Lasting = int(draw(48).below(50)), 50*Millisecond<<draw(49).below(14)
	}
	few := func(n, most uint64) int { // in a third of the runs, as few as its clients may well come to
		if draw(n).below(3) > 0 {
			return 0
		}
		return 2 + int(draw(n+1).below(most-1))
	}
	o.MostSessions, o.MostNumbers, o.MostKeys = few(50, 8), few(52, 16), few(54, 8)
}
