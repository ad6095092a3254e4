package sim

import (
	"balsa/raft"
	"balsa/replica"
)

// Bounds of messages (I14). What a server holds back until its disk has it shows when it leaves.

// heldAtMost is how many messages may wait for the disk of one server: as many as package raft lets wait.
const heldAtMost = 1 << 12

// leave bounds what leaves a server in one moment: what its disk has held back, a window for each other
// server with two messages on top, and one to everybody for each event that it has taken meanwhile.
func (w *World) leave(s *server, work []replica.Work) {
	sends := 0
	for i := range work {
		if _, is := work[i].(replica.Send); is {
			sends++
		}
	}
	taken, others := s.steps, len(w.servers)-1
	s.steps = 0
	if most := heldAtMost + others*(w.ledger.limits.Window+2) + (others+1)*taken; sends > most {
		w.fail(Bounds, "n%v sends %d messages in one moment after %d events, at most %d may be", s.id, sends,
			taken, most)
	}
}

// messagesEach is how many messages each request, each entry and each heartbeat interval of a server may cost
// for each of its peers. A write costs four without any fault, with the news of its commit, and one that is
// forwarded two more; a read four; a heartbeat two. What is lost is sent again. Measured over 755 runs of all
// profiles: 0.7 at most without faults, 1.7 with them.
const messagesEach = 4

// talks bounds the messages of a whole run: servers that answer each other for ever, or send again what is
// under way, do no harm but this.
func (w *World) talks() {
	c := &w.trace.counts
	requests, entries := c[Called], uint64(len(w.ledger.committed))
	beats := c[Ticked] / uint64(w.options.Heartbeat)
	others := uint64(len(w.servers) - 1)
	most := messagesEach * others * (requests + entries + beats + uint64(len(w.servers)))
	if c[Sent] <= most {
		return
	}
	sent := attest(w.moment(), raft.None, "%d messages were sent", c[Sent])
	reasons := attest(w.moment(), raft.None, "%d requests, %d entries and %d heartbeat intervals of %d "+
		"servers call for at most %d", requests, entries, beats, len(w.servers), most)
	w.violate(&Violation{Moment: w.moment(), Property: Bounds, Witnesses: []Witness{reasons, sent},
		Sentence: sent.Fact + " in all, for too few reasons"})
}
