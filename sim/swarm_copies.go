package sim

import (
	"slices"

	"balsa/disk"
	"balsa/raft"
)

// Old copies of disks, which are put back or run beside the original.

// rollBack keeps a copy of a disk, and puts it back when the others have met what came after it.
func rollBack(s *swarm) {
	o := s.one()
	if o.store.image == nil {
		s.do(Op{Kind: Image, Node: o.id})
		return
	}
	if !s.mayForget(o) || o.trouble.gone || o.store.imageAlone ||
		!s.world.known(o, o.store.imageStart+1) || !s.mayPutBack(o) {
		return
	}
	s.do(Op{Kind: Kill, Node: o.id, Mode: "power"})
	s.do(Op{Kind: Rollback, Node: o.id})
	s.plan(s.soon(), Op{Kind: Restart, Node: o.id})
}

// cloneOne keeps a copy of a disk, and runs it beside the original when all have met what came after it.
func cloneOne(s *swarm) {
	o, c := s.one(), s.spare()
	switch {
	case o.node != o.id || o.foreign != nil || o.trouble.replaced || c == nil:
	case o.store.image == nil:
		s.do(Op{Kind: Image, Node: o.id})
		s.kill(o, "", 0) // it is started again, twice, and met: more often than its copy will have been
		s.plan(2*Second, Op{Kind: Kill, Node: o.id})
		s.plan(3*Second, Op{Kind: Restart, Node: o.id})
		s.plan(s.soon()+5*Second, Op{Kind: Clone, Node: o.id, Peer: c.id})
	case s.mayClone(o):
		s.do(Op{Kind: Clone, Node: o.id, Peer: c.id})
	}
}

// mayClone reports whether to run the copy of a server's disk beside it lies within the fault model: when it
// was planned, others may not yet have been wiped who are by now.
func (s *swarm) mayClone(o *server) bool {
	return o.store.image != nil && s.world.known(o, o.store.imageStart+1) && s.mayPutBack(o)
}

// mayPutBack reports whether the copy of a server's disk lies within the fault model. Its log may end in a
// configuration that was left long ago, and what is decided by that is decided anew if a majority of it are
// copies too, or are gone: by each that a copy knows, those who remember must be one.
func (s *swarm) mayPutBack(o *server) bool {
	forgets := func(m raft.Member) bool {
		copied := func(t *server) bool { return t.node == m.ID && t.foreign == nil && t.trouble.replaced }
		return m.ID == o.node || s.world.isGone(m) || slices.ContainsFunc(s.world.servers, copied)
	}
	for _, t := range s.world.servers {
		d := t.store.disk
		if t == o {
			d = t.store.image
		}
		if t != o && !t.trouble.rolledBack {
			continue
		}
		if c, is := standsIn(d, s.world.options.SnapshotChunk); !is || !survives(c, forgets) {
			return false
		}
	}
	return true
}

// standsIn returns the last configuration on a disk, and whether it could be read.
func standsIn(d *disk.Memory, chunk int) (raft.Configuration, bool) {
	found, _, err := inspect(d.Clone(), chunk)
	if err != nil {
		return raft.Configuration{}, false
	}
	c := found.joined.Members
	if found.joined.Snapshot.Last.Index > 0 {
		c = found.joined.Snapshot.Members
	}
	for _, e := range found.joined.Entries {
		if e.Kind == raft.ConfigurationChange {
			c, _, _ = raft.DecodeConfiguration(e.Command) // it was checked when it was read
		}
	}
	return c, true
}
