package replica

import (
	"fmt"
	"slices"

	"balsa/raft"
)

// Messages that come in: whether their sender may speak stands in gate.go, and what they lead to here.

// receive lets a message through to the core if its sender may speak. Whoever is refused is told, so that
// the other side's log says what is wrong: for a request by its response, and for the response of a member,
// such as a follower with a wiped disk that only ever answers, by a message of its own. A refusal is never
// answered, or two servers could refuse each other for ever. (An answer that a server gave before it was
// started again, and that comes late, has it be told too: it warns once, and goes on.)
func (r *Replica) receive(now raft.Time, e raft.Envelope) {
	if m, ok := e.Message.(raft.IdentityRefused); ok {
		r.trouble(PeerRefused{Node: e.From.Node, Why: m.Why, ByPeer: true})
		if r.member(e.From.Node) {
			r.gate.shunned(now, e.From.Node, m.Why)
			r.doubtFounding(e.From, m.Why)
			r.dismissedBy(e, m.Why)
		}
		return
	}
	s := r.standing(e.From)
	why, stranger := r.gate.judge(e, s)
	if why != 0 {
		r.trouble(PeerRefused{Node: e.From.Node, Why: why})
		r.refuseSender(e, why)
		return
	}
	if !stranger {
		if news := r.gate.introduce(e.From, s); news != nil {
			r.gatherPeer(*news)
		}
		if r.gate.hold(e) {
			return
		}
	}
	r.gate.meet(e.From, stranger, raft.IsResponse(e.Message))
	r.take(now, e)
}

// standing looks up what the configurations here say of a sender.
func (r *Replica) standing(from raft.Identity) standing {
	m, is := r.core.Known(from.Node)
	settled, index := r.core.Settled()
	bound, stays := settled.Member(from.Node)
	return standing{
		member: is,
		named:  m.Incarnation,
		start:  m.Start,
		bound:  bound.Incarnation == from.Incarnation,
		joins:  len(r.core.Members().Voters) == 0,
		behind: from.Configuration > index,
		left:   !stays && len(settled.Members) > 0,
	}
}

// refuseSender tells the sender of a message that it is not listened to. To a response there is none, so the
// refusal has no sequence.
func (r *Replica) refuseSender(e raft.Envelope, why raft.IdentityReason) {
	refusal := raft.Letter{To: e.From.Node, Sequence: e.Sequence, Message: raft.IdentityRefused{Why: why}}
	if raft.IsResponse(e.Message) {
		forgot := why == raft.OtherIncarnation || why == raft.OlderStart
		if !forgot || !r.member(e.From.Node) {
			return
		}
		refusal.Sequence = 0
	}
	r.send(refusal)
}

// take carries a message to whom it concerns.
func (r *Replica) take(now raft.Time, e raft.Envelope) {
	if !r.mine(&e) || r.foundingHalted() && asksForVote(e.Message) {
		return
	}
	switch m := e.Message.(type) {
	case raft.ForwardProposal:
		r.takeForwarded(now, e, m)
	case raft.ForwardProposalResponse:
		r.forwardAnswered(m)
	case raft.ForwardRead:
		r.takeForwardedRead(now, e, m)
	case raft.ForwardReadResponse:
		r.forwardedReadAnswered(m)
	default:
		r.takeForCore(now, e)
	}
}

// takeForCore gives a message to the core. A person whose message the core refuses is told so: who waits
// for an answer that never comes must take it that the node may have acted. A server needs no such answer.
func (r *Replica) takeForCore(now raft.Time, e raft.Envelope) {
	byHand := e.From.Cluster == raft.ClusterID{} && !raft.IsResponse(e.Message)
	before := uint64(0)
	if byHand {
		before = r.core.Status().Refused
	}
	if r.wouldCount(e) {
		return
	}
	sound := digestible(e.Message)
	if !sound {
		r.undigested(e)
	} else {
		r.core.Step(now, raft.Receive{From: e.From.Node, Incarnation: e.From.Incarnation,
			Start: e.From.Start, Sequence: e.Sequence, Message: e.Message})
	}
	if byHand && (!sound || r.core.Status().Refused > before) {
		refusal := raft.IdentityRefused{Why: raft.Nonsense}
		r.send(raft.Letter{To: e.From.Node, Sequence: e.Sequence, Message: refusal})
	}
}

// wouldCount reports whether a message asks for an answer that its sender would count although this server
// repairs itself: a program from before there was such a thing does not read that it must not.
func (r *Replica) wouldCount(e raft.Envelope) bool {
	if !r.core.Repairing() || e.From.Version > 0 || e.From.Cluster == (raft.ClusterID{}) {
		return false
	}
	switch e.Message.(type) {
	case raft.AppendEntries, raft.InstallSnapshot:
		return true
	}
	return false
}

// digestible reports whether every server can carry out the entries in a message. One that none can would
// stop them all once it is committed, for good: no leader sends it, and it is not taken into the log.
func digestible(m raft.Message) bool {
	entries, _ := m.(raft.AppendEntries)
	for _, e := range entries.Entries {
		if e.Kind != raft.Session {
			continue
		}
		if _, _, err := decodeOnce(e.Command); err != nil {
			return false
		}
	}
	return true
}

// undigested counts a message that is not digestible and tells of it. Its sender may be a leader of a later
// version, which sends it for ever while this server falls behind: nobody would know why.
func (r *Replica) undigested(e raft.Envelope) {
	r.gate.undigested++
	t := Undigested{From: e.From.Node}
	if !slices.Contains(r.gate.undigestible, t) && len(r.gate.undigestible) < maxTroubles {
		r.gate.undigestible = append(r.gate.undigestible, t)
		r.ready = append(r.ready, Report{Events: []raft.Event{t}})
	}
}

// Undigested is the event that a server sends entries of sessions that this version cannot carry out. It is
// told once for each server.
type Undigested struct{ From raft.NodeID }

// String is one sentence that says what to do.
func (e Undigested) String() string {
	return fmt.Sprintf("refused entries of sessions from node %v, which this version cannot carry out: "+
		"run a later version of this program", e.From)
}

// Status returns what the server knows of itself.
func (r *Replica) Status() raft.Status {
	s := r.core.Status()
	s.Refused += r.gate.undigested
	return s
}

// LagBytes returns how many bytes of this server's log lie behind an index; see raft.Core.LagBytes.
func (r *Replica) LagBytes(match raft.Index) int64 { return r.core.LagBytes(match) }

func (r *Replica) trouble(e PeerRefused) {
	if r.gate.news(e, r.member(e.Node)) {
		r.ready = append(r.ready, Report{Events: []raft.Event{e}})
	}
}

// member reports whether a configuration that this server knows names the id.
func (r *Replica) member(id raft.NodeID) bool {
	_, is := r.core.Known(id)
	return is
}
