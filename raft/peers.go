package raft

import (
	"cmp"
	"slices"
)

// Whom a leader speaks to: all other members, and for a while those that have left.
//
// A server that was removed must learn of it, or it would ask for votes until somebody stops it, and a person
// who looks at it would not be told. So its leader goes on with it until it holds the entry that removed it
// and has answered a message that told it that this is committed; or until it is silent for a maximal
// election timeout; or until it has made no progress for several, as with a full disk, since its removal is
// committed: who answers and cannot take an entry would otherwise be spoken to for ever. Meanwhile it counts
// for nothing.

// leave is what a leader keeps of a server that has left.
type leave struct {
	was    Member
	match  Index  // its match, and how much of a snapshot it has, when it last made progress
	offset uint64 // the most that it ever had
	idle   int    // ticks since then, as far as its removal was committed
}

// maxIdle is for how many maximal election timeouts one that has left, and answers, may make no progress: far
// more than a chunk of a snapshot takes on a link on which anything works.
const maxIdle = 16

// newPeer is a follower of which nothing is known yet. A probe of the entry at next will tell where the logs
// join.
func newPeer(id NodeID, next Index) peer { return peer{id: id, next: next, probing: true} }

// beginPeers makes the peers of a new leader, which is about to append its no-op. It takes nobody for silent
// yet. Who left by the latest change may not know it, if the leader before did not come to tell it.
func (c *Core) beginPeers() {
	next := c.log.last().Index + 1
	for _, m := range c.members.Members {
		if m.ID != c.config.ID {
			c.leading.peers = append(c.leading.peers, newPeer(m.ID, next))
		}
	}
	n := len(c.members.earlier)
	if n == 0 {
		return
	}
	for _, m := range c.members.earlier[n-1].Members {
		if _, stays := c.members.Member(m.ID); !stays && m.ID != c.config.ID {
			p := newPeer(m.ID, next)
			p.departing, p.left.was = true, m
			c.leading.peers = append(c.leading.peers, p)
		}
	}
	c.sortPeers()
}

// updatePeers makes the peers those of the configuration in force. A server that was not a member before, or
// was another server under the same id, is met anew: what its predecessor held it need not hold. It counts as
// silent until it answers. The entry that made it a member is the first to be sent to it: if that were still
// to come, nothing would be, and nobody would learn what it lacks.
func (c *Core) updatePeers(before Configuration) {
	l, next := &c.leading, c.log.last().Index
	for i := range l.peers {
		p := &l.peers[i]
		was, _ := before.Member(p.id)
		is, stays := c.members.Member(p.id)
		if stays && (p.departing || !was.mayBecome(is)) {
			l.lease.parted(p.id)
			*p = newPeer(p.id, next)
			p.silent, p.uncounted = c.config.ElectionMin, c.config.ElectionMin
		}
		if before.roles(p.id) != c.members.roles(p.id) || before.AutoPromote != c.members.AutoPromote {
			p.study = study{} // of another time as a learner
		}
		if !stays && !p.departing {
			p.departing, p.left = true, leave{was: was, match: p.match, offset: p.transfer.offset}
		}
	}
	for _, m := range c.members.Members {
		if m.ID != c.config.ID && c.peer(m.ID) == nil {
			p := newPeer(m.ID, next)
			p.silent, p.uncounted = c.config.ElectionMin, c.config.ElectionMin
			l.peers = append(l.peers, p)
			c.sortPeers()
		}
	}
}

// AppendReached appends whom this server may have to speak to, by id: the other members; those of the
// configurations that a truncation may bring back; those that have left and are yet to be told; and its
// leader, which may have removed itself.
func (c *Core) AppendReached(dst []Member) []Member {
	from := len(dst)
	add := func(m Member) {
		known := slices.ContainsFunc(dst[from:], func(o Member) bool { return o.ID == m.ID })
		if m.ID != c.config.ID && !known {
			dst = append(dst, m)
		}
	}
	for _, m := range c.members.Members {
		add(m)
	}
	settled := c.members.at(c.commitIndex).index
	for _, p := range slices.Backward(c.members.earlier) {
		if p.index < settled {
			break
		}
		for _, m := range p.Members {
			add(m)
		}
	}
	for i := range c.leading.peers {
		if p := &c.leading.peers[i]; p.departing {
			add(p.left.was)
		}
	}
	if m, is := c.Known(c.leader); is {
		add(m)
	}
	slices.SortFunc(dst[from:], func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return dst
}

func (c *Core) sortPeers() {
	slices.SortFunc(c.leading.peers, func(a, b peer) int { return cmp.Compare(a.id, b.id) })
}

// farewell notes which message is the first to tell a departing server that its removal is committed: one
// that names, or comes behind, the entry that removed it. It is about to leave.
func (c *Core) farewell(p *peer, prev Index) {
	if p.departing && p.farewell == 0 && min(prev, p.match, c.commitIndex) >= c.members.index {
		p.farewell = c.sequence + 1
	}
}

// partFrom lets go of a server that has left and was told, or does not answer.
func (c *Core) partFrom(id NodeID, told bool) {
	c.leading.lease.parted(id)
	c.leading.peers = slices.DeleteFunc(c.leading.peers, func(p peer) bool { return p.id == id })
	c.emit(PeerLeft{ID: id, Told: told})
}

// partFromSilent counts a tick, and lets go of all those that have left and do not answer, or get nowhere.
func (c *Core) partFromSilent() {
	for i := len(c.leading.peers) - 1; i >= 0; i-- {
		p := &c.leading.peers[i]
		if !p.departing {
			continue
		}
		if c.members.index <= c.commitIndex {
			p.left.idle++
		}
		if l := &p.left; p.match > l.match || p.transfer.offset > l.offset {
			l.match, l.offset, l.idle = p.match, max(l.offset, p.transfer.offset), 0
		}
		if p.silent >= c.config.ElectionMax || p.left.idle >= maxIdle*c.config.ElectionMax {
			c.partFrom(p.id, false)
		}
	}
}

// passesOver reports whether the newer term of an answer is no concern of this leader's: whoever is not a
// member any more has no say in who leads, and one that campaigned in vain would depose the leader that says
// goodbye to it.
func (c *Core) passesOver(from NodeID, m Message) bool {
	_, member := c.members.Member(from)
	return c.role == Leader && IsResponse(m) && !member
}
