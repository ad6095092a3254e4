package sim

import (
	"balsa/disk"
	"balsa/raft"
)

// met takes note of whom a server has met, durably: who was met in a later start than the one that a copy of
// its disk remembers can be recognised when that copy is put back.
func (w *World) met(s *server, peers []raft.Acquaintance) {
	for _, p := range peers {
		if p.Node >= 1 && int(p.Node) <= len(w.servers) {
			s.met[p.Node-1] = p
		}
	}
}

// known reports whether every other server would recognise that this one's disk is not the one it was: a
// wiped one by its incarnation, one put back by the number of its start, which must be below what was met.
func (w *World) known(s *server, start uint64) bool {
	for _, o := range w.servers {
		if o == s {
			continue
		}
		m := o.met[s.id-1]
		if m.Incarnation != s.store.incarnation || m.Start <= start {
			return false
		}
	}
	return true
}

// mayStart reports whether a start of a server lies within the fault model. One that counts its starts up
// from an old copy of its disk is recognised as long as it has not come to the number that the others have
// met; who starts an old copy again and again comes there, and is taken for what it was.
func (w *World) mayStart(s *server) bool {
	return !s.trouble.rolledBack || w.known(s, s.store.start+1)
}

// rot damages a server's disk at rest, and reports whether it found something to damage. What it chooses lies
// in a segment before the last written one or in the identity, so that whatever it hits was durable long
// ago: rot of the very last batch before its seal is outside of the fault model (package wal).
func (w *World) rot(s *server, op Op) bool {
	d := s.store.disk
	r := roll(op.Nth)
	name, content := w.oldFile(s, r)
	if name == "" {
		return false
	}
	at := int64(r.again().below(uint64(len(content))))
	switch op.Mode {
	case "flip":
		d.Flip(name, at*8+int64(r&7))
	case "zero":
		from := at / disk.Sector * disk.Sector
		d.Zero(name, from, from+disk.Sector)
	case "truncate":
		d.Plant(name, content[:at])
	case "lose":
		d.Delete(name)
	case "stale":
		w.rotStale(s, name, content, at)
	case "misdirect": // a sector that belongs somewhere else
		from := int64(r.again().again().below(uint64(len(content)))) / disk.Sector * disk.Sector
		to := at / disk.Sector * disk.Sector
		copied := append([]byte(nil), content...)
		copy(copied[to:], content[from:min(from+disk.Sector, int64(len(content)))])
		d.Plant(name, copied)
	}
	return true
}

// rotStale has a sector read as it was: as in the copy of the disk that was kept, or else as it was before
// the last part of it was written.
func (w *World) rotStale(s *server, name string, content []byte, at int64) {
	from := at / disk.Sector * disk.Sector
	to := min(from+disk.Sector, int64(len(content)))
	old := make([]byte, to-from)
	if s.store.image != nil {
		if image := s.store.image.Read(name); int64(len(image)) >= to {
			old = image[from:to]
		}
	} else {
		copy(old, content[from:at])
	}
	copied := append([]byte(nil), content...)
	copy(copied[from:], old)
	d := s.store.disk
	d.Plant(name, copied)
}

// oldFile chooses a file of which nothing was written lately, "" if there is none, and returns the part of
// its content that means something.
func (w *World) oldFile(s *server, r roll) (string, []byte) {
	names := s.store.disk.Names()
	var old []string
	var segments int
	for _, name := range names {
		if len(name) > 4 && name[len(name)-4:] == ".wal" {
			segments++
		}
	}
	for _, name := range names {
		if len(name) > 4 && name[len(name)-4:] == ".wal" {
			if segments--; segments < 2 { // the last two may hold the last batch
				continue
			}
		}
		if len(name) > 4 && name[len(name)-4:] == ".tmp" {
			continue
		}
		old = append(old, name)
	}
	if len(old) == 0 {
		return "", nil
	}
	name := old[r.below(uint64(len(old)))]
	content := s.store.disk.Read(name)
	if len(content) == 0 {
		return "", nil
	}
	return name, content
}
