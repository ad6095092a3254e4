package sim

import (
	"errors"
	"slices"
	"strings"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
)

// Effects are what came of interventions: a message was dropped, a torn write was found, a leader stepped
// down. A fault that was injected and met nobody is no evidence, so these are counted beside the operations.
// They are no part of the trace.
const (
	sawTornWrite    = "torn write cut off by a start"
	sawLostBytes    = "unsynced bytes lost with the power"
	sawRotRefused   = "rotten disk refused"
	sawRotRepaired  = "rotten disk set aside"
	sawRepaired     = "damaged server counts again"
	sawSealRefused  = "rot under the last seal noticed"
	sawRotHarmless  = "rotten disk that had lost nothing"
	sawRotPassed    = "rotten snapshot done without"
	sawStranger     = "disk not recognised by a peer"
	sawDamage       = "damaged message refused"
	sawStale        = "message older than 30s delivered"
	sawLost         = "message lost"
	sawCut          = "message cut off"
	sawDeposed      = "leader deposed"
	sawCutElection  = "leader elected while links were cut"
	sawTruncation   = "log truncated"
	sawBusy         = "follower busy"
	sawOverloaded   = "proposal refused as overloaded"
	sawLease        = "read by lease answered without a round"
	sawDrift        = "bound on the drift of clocks changed"
	sawReadRefused  = "read refused"
	sawReplaced     = "command replaced by another leader's"
	sawFullDisk     = "server stopped by a full disk"
	sawFailedDisk   = "server stopped by a failing disk"
	sawFailedStart  = "start failed by a failing disk"
	sawPanic        = "server stopped by its state machine"
	sawBrokenWrite  = "process ended in the middle of a write"
	sawBrokenStart  = "power cut while a server recovered"
	sawBrokenSend   = "process ended between two messages"
	sawSaved        = "snapshot saved"
	sawNotSaved     = "snapshot not saved"
	sawReceived     = "snapshot received"
	sawResumed      = "snapshot received from where it had stopped"
	sawRestored     = "state machine restored"
	sawBrokenSave   = "process ended while it saved a snapshot"
	sawBrokenChunk  = "process ended while it stored a part of a snapshot"
	sawRestarted    = "log begun anew behind a snapshot"
	sawReleased     = "part of the log released"
	sawElsewhere    = "retried at another server"
	sawRepeated     = "replayed"
	sawGone         = "session gone"
	sawReused       = "number or key used for another command"
	sawNumberGone   = "number asked for that its session has forgotten"
	sawPushedOut    = "session pushed out"
	sawTooMany      = "key refused: too many"
	sawExpired      = "session expired by log time"
	sawForgotten    = "applied again after its key was forgotten"
	sawTimePass     = "clock entry proposed"
	sawMoved        = "server moved to another address"
	sawNobody       = "message to an address where nobody is"
	sawStray        = "node of another cluster at a reused address"
	sawAstray       = "message to or from another than was meant"
	sawTickWithin   = "tick between the events of one turn"
	sawHaltedForAll = "too few disks left: everything halted"
)

// staleAfter is the age from which on a message is called stale: longer than any election.
const staleAfter = 30 * Second

// saw counts an effect.
func (w *World) saw(effect string) { w.counts.effects = counted(w.counts.effects, effect) }

// counted adds one to a count, in the order of the names.
func counted(counts []Count, kind string) []Count {
	at, found := slices.BinarySearchFunc(counts, kind,
		func(c Count, kind string) int { return strings.Compare(c.Kind, kind) })
	if !found {
		counts = slices.Insert(counts, at, Count{Kind: kind})
	}
	counts[at].Times++
	return counts
}

// sawRole counts what became of a leader, before the sight of it is renewed.
func (w *World) sawRole(s *server, now *raft.Status) {
	was := &s.sight
	switch {
	case was.role == raft.Leader && now.Role != raft.Leader:
		w.saw(sawDeposed)
	case was.role != raft.Leader && now.Role == raft.Leader &&
		slices.ContainsFunc(w.network.links, func(l link) bool { return l.cut }):
		w.saw(sawCutElection)
	}
	if cutBack(was, now) {
		w.saw(sawTruncation)
	}
}

// cutBack reports whether the end of a log was replaced, as far as its last entry shows it.
func cutBack(was *sight, now *raft.Status) bool {
	return now.Last.Index <= was.last.Index && now.Last != was.last
}

// sawMessage counts those that faults lead to.
func (w *World) sawMessage(m raft.Message) {
	switch m := m.(type) {
	case raft.AppendEntriesResponse:
		if m.Busy {
			w.saw(sawBusy)
		}
	case raft.IdentityRefused:
		w.saw(sawStranger)
	}
}

// sawAnswer counts the answers that clients do not like.
func (w *World) sawAnswer(op *Operation, f replica.Fate) {
	switch {
	case f == replica.Overloaded:
		w.saw(sawOverloaded)
	case f == replica.Replaced:
		w.saw(sawReplaced)
	case f != replica.Done && op.Kind == Get:
		w.saw(sawReadRefused)
	}
}

// sawLease counts the reads that were answered in the moment in which they came: no round goes to anybody and
// back so fast.
func (s *server) sawLease(op *Operation, q question, f replica.Fate) {
	w := s.world
	if op.Mode == Leased && f == replica.Done && q.taken == w.now && len(w.ledger.latest().Voters) > 1 {
		w.saw(sawLease)
	}
}

// sawVerdict counts what becomes of commands of sessions.
func (w *World) sawVerdict(v verdict) {
	if v.expired > 0 {
		w.saw(sawExpired)
	}
	if v.pushed {
		w.saw(sawPushedOut)
	}
	switch v.fate {
	case repeats:
		w.saw(sawRepeated)
	case isGone:
		w.saw(sawGone)
	case isReused:
		w.saw(sawReused)
	case isForgotten:
		w.saw(sawNumberGone)
	case isTooMany:
		w.saw(sawTooMany)
	case passesTime:
		w.saw(sawTimePass)
	}
}

// sawStop counts why servers stop by themselves.
func (w *World) sawStop(err error) {
	switch {
	case errors.Is(err, disk.ErrNoSpace):
		w.saw(sawFullDisk)
	case errors.Is(err, errDisk):
		w.saw(sawFailedDisk)
	case errors.Is(err, replica.ErrStateMachine):
		w.saw(sawPanic)
	}
}

// loses is a keep that reports whether something was not kept.
func loses(keep disk.Keep, lost *bool) disk.Keep {
	return func(p disk.Pending) bool {
		kept := keep(p)
		*lost = *lost || !kept
		return kept
	}
}

// sawArrival counts messages that meet another than they were meant for, or come from one that is none.
func (w *World) sawArrival(to *server, e raft.Envelope) {
	if e.To != to.node || e.From.Cluster != w.cluster {
		w.saw(sawAstray)
	}
}
