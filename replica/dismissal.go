package replica

import "balsa/raft"

// A server that was removed and does not know it goes on to campaign. A living leader is safe from that, by
// pre-vote and because whoever hears it grants nothing; but servers that are about to elect one and do not
// know yet that it has left follow it from term to term, for as long as it asks as often as they do (§6).
//
// So who is told by a member that it is none campaigns no more, until it hears a leader. That word can be
// relied on: it is said by the configuration that is committed there, and not to one who names a later one
// (see gate). It still votes, as by the configuration that it knows; who counts the vote decides about that.
//
// A word that was long on its way may be of a time before this server was added again. So it must come from
// who is named by a later configuration than this server. Without that, the only one whose log can win might
// wait for a leader for ever.

// leaderless reports whether a message is of a server that hears no leader: it asks for votes, or says where
// it is.
func leaderless(m raft.Message) bool {
	read, is := m.(raft.ForwardRead)
	return asksForVote(m) || is && read.Leader == 0
}

// dismissedBy takes the word of a member that does not listen to this server. It must be the very data
// directory that is meant, and have got an entry that names it: one that begins anew under a member's id, or
// joins, knows nobody yet.
func (r *Replica) dismissedBy(e raft.Envelope, why raft.IdentityReason) {
	trouble, stranger := r.gate.judge(e, r.standing(e.From))
	if why == raft.NotAMember && trouble == 0 && !stranger && e.From.Configuration > r.core.NamedAt() {
		r.gate.dismissed = true
	}
}

// isDismissed reports whether this server must not campaign. Ask it whatever else keeps this server from
// that: a leader that is heard meanwhile may be gone afterwards.
func (r *Replica) isDismissed() bool {
	r.gate.dismissed = r.gate.dismissed && r.core.Leader() == raft.None
	return r.gate.dismissed
}
