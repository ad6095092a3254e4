package sim

import (
	"encoding/binary"
	"slices"
	"strings"

	"balsa/disk"
	"balsa/raft"
)

// met takes note of whom a server has met, durably: who was met in a later start than the one that a copy of
// its disk remembers can be recognised when that copy is put back.
func (w *World) met(s *server, peers []raft.Acquaintance) {
	for _, p := range peers {
		if p.Node >= 1 && int(p.Node) <= len(s.met) {
			s.met[p.Node-1] = p
		}
	}
}

// known reports whether every other server would recognise that this one's disk is not the one it was: a
// wiped one by its incarnation, one put back by the number of its start, which must be below what was met.
func (w *World) known(s *server, start uint64) bool {
	for _, o := range w.servers {
		if o.node == s.node || !o.founded || o.foreign != nil || o.trouble.replaced {
			continue
		}
		m := o.met[s.node-1]
		met := m.Incarnation == s.store.incarnation && m.Start > start
		if o.trouble.rotten { // what it has met may be gone with its log
			met = false
		}
		if !met && !w.named(o, s, start) {
			return false
		}
	}
	return true
}

// named reports whether a server knows by a committed configuration, on its disk, that no other data
// directory than the present one stands for another server. That does not tell one start from another.
func (w *World) named(o, s *server, start uint64) bool {
	d := &w.ledger.servers[o.id-1].disk
	c := w.ledger.inForce(d, d.log)
	if c == w.ledger.nobody { // it hears whom to know before it counts, unless it was given a vote by force
		return !w.votes(o.node)
	}
	if c.Index == 0 || !w.ledger.knows(c.EntryID) {
		return false
	}
	m, is := c.Member(s.node)
	if o.trouble.rotten { // its log may be gone: it hears the latest that is committed
		m, is = w.ledger.latest().Member(s.node)
	}
	if !is { // who restarts may forget that this is committed, and then hears who can be elected
		return start == 0 || !w.ledger.voted[s.node]
	}
	return m.Incarnation != 0 && start == 0
}

// reminded reports whether a server that loses its log, and so forgets whom it has met, hears by the
// configuration which disks to refuse: those that were wiped, or are old copies.
func (w *World) reminded(s *server) bool {
	latest := w.ledger.latest()
	for _, o := range w.servers {
		strange := o.trouble.gone || o.trouble.rolledBack || o.trouble.replaced
		if o == s || !o.founded || o.foreign != nil || !strange {
			continue
		}
		m, is := latest.Member(o.node)
		if is && (m.Incarnation == 0 || m.Incarnation == o.store.incarnation && m.Start <= o.store.start) {
			return false
		}
	}
	return true
}

// votes reports whether any disk has a server vote by the latest configuration on it.
func (w *World) votes(id raft.NodeID) bool {
	for i := range w.ledger.servers {
		d := &w.ledger.servers[i].disk
		if w.ledger.inForce(d, d.log).Voter(id) {
			return true
		}
	}
	return false
}

// mayStart reports whether a start of a server lies within the fault model. One that counts its starts up
// from an old copy of its disk is recognised as long as it has not come to the number that the others have
// met; who starts an old copy again and again comes there, and is taken for what it was.
func (w *World) mayStart(s *server) bool {
	return !s.trouble.rolledBack || w.known(s, s.store.start+1)
}

// rot damages a server's disk at rest, and reports whether it found something to damage. Whatever it hits was
// durable long ago, and something behind it proves that: it lies in a segment before the last written one, in
// the identity, or under a seal. Rot of the very last batch before its seal is outside of the fault model
// (package wal).
func (w *World) rot(s *server, op Op) bool {
	r := roll(op.Nth)
	f := w.oldFile(s, r)
	if f.old == 0 {
		return false
	}
	s.trouble.sealRot = f.sealed
	f.damage(s, op.Mode, r.again())
	return true
}

// aged is a file, and how much of it, from the beginning on, was durable long ago.
type aged struct {
	name    string
	content []byte
	old     int64
	sealed  bool // and nothing but the seal proves it
}

// damage changes something of the part that is old.
func (f *aged) damage(s *server, mode string, r roll) {
	d := s.store.disk
	at := int64(r.below(uint64(f.old)))
	from := at / disk.Sector * disk.Sector
	to := min(from+disk.Sector, f.old)
	switch mode {
	case "flip":
		d.Flip(f.name, at*8+int64(r&7))
	case "zero":
		d.Zero(f.name, from, to)
	case "truncate":
		d.Plant(f.name, f.content[:at])
	case "lose":
		d.Delete(f.name)
	case "stale":
		f.put(d, from, f.before(s, from, at, to))
	case "misdirect": // a sector that belongs somewhere else
		other := int64(r.again().below(uint64(f.old))) / disk.Sector * disk.Sector
		f.put(d, from, f.content[other:min(other+to-from, f.old)])
	}
}

// put writes bytes into the file.
func (f *aged) put(d *disk.Memory, at int64, b []byte) {
	copied := slices.Clone(f.content)
	copy(copied[at:], b)
	d.Plant(f.name, copied)
}

// before returns a sector as it was: as in the copy of the disk that was kept, or else as it was before the
// last part of it was written.
func (f *aged) before(s *server, from, at, to int64) []byte {
	if s.store.image != nil {
		if image := s.store.image.Read(f.name); int64(len(image)) >= to {
			return image[from:to]
		}
	}
	old := make([]byte, to-from)
	copy(old, f.content[from:at])
	return old
}

// oldFile chooses a file of which something is old; the zero value if there is none. Of the segment that has
// the last batch only what lies before a seal is old.
func (w *World) oldFile(s *server, r roll) aged {
	names := s.store.disk.Names()
	var all []aged
	last := true
	for i := len(names) - 1; i >= 0; i-- {
		f := aged{name: names[i], content: s.store.disk.Read(names[i])}
		f.old = int64(len(f.content))
		if f.isSegment() && last {
			at, written := f.lastBatch()
			last = !written
			f.old, f.sealed = at, true
			if !written || !s.store.sealed {
				f.old = 0
			}
		}
		if f.old > 0 && !strings.HasSuffix(f.name, ".tmp") {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return aged{}
	}
	return all[r.below(uint64(len(all)))]
}

// isSegment reports whether a file is of the log; what a repair has set aside is not.
func (f *aged) isSegment() bool {
	return strings.HasSuffix(f.name, ".wal") && !strings.HasPrefix(f.name, "damaged-")
}

// lastBatch returns where the last batch of a segment begins, and whether there is any. Batches follow each
// other from the end of the segment's header on, each with its length behind its number (package wal).
func (f *aged) lastBatch() (at int64, written bool) {
	const header, lengthAt, lengthEnd = 64, 8, 12
	for next := int64(header); next+lengthEnd <= int64(len(f.content)); {
		length := int64(binary.LittleEndian.Uint32(f.content[next+lengthAt:]))
		if length == 0 {
			break
		}
		at, written = next, true
		next += length
	}
	return at, written
}
