package sim

import (
	"bytes"
	"fmt"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
)

// image is what a state machine and the sessions before it come to after an entry.
type image struct {
	last  raft.EntryID
	bytes []byte
}

// imageOf captures a machine, which has applied exactly up to last.
func imageOf(front *replica.Machine, last raft.EntryID) (image, error) {
	captured := replica.Capture{Snapshot: raft.Snapshot{Last: last}}.Perform(front)
	if captured.Err != nil || captured.Image == nil {
		return image{}, captured.Err
	}
	var b bytes.Buffer
	_, err := captured.Image.WriteTo(&b)
	return image{last, b.Bytes()}, err
}

// equal demands that the state machines of all live servers write the same bytes.
func (w *World) equal() {
	if !w.images {
		return
	}
	live := w.live()
	for i, s := range live {
		now, err := imageOf(s.watched.front, s.through)
		first := w.healed.state
		switch {
		case err != nil:
			w.fail(ReplicaEquality, "n%v cannot write its snapshot: %v", s.id, err)
		case i == 0:
			w.healed.state = now
		case !bytes.Equal(first.bytes, now.bytes):
			w.violate(&Violation{Moment: w.moment(), Property: ReplicaEquality,
				Sentence: fmt.Sprintf("n%v and n%v have applied the same %v entries and hold different "+
					"states", live[0].id, s.id, s.through.Index),
				Witnesses: []Witness{
					attest(w.moment(), live[0].id, "%d bytes %x", len(first.bytes), hashBytes(first.bytes)),
					attest(w.moment(), s.id, "%d bytes %x", len(now.bytes), hashBytes(now.bytes)),
				}})
		}
	}
}

// scan cuts the power of every machine and looks at what the disks alone hold.
func (w *World) scan() {
	var disks []disked
	var keepers []*snapshot.Keeper
	for _, s := range w.live() {
		s.store.disk.Crash(disk.KeepNone)
		found, keeper, err := inspect(s.store.disk, w.options.SnapshotChunk)
		if err != nil {
			w.fail(Recovery, "n%v cannot be recovered at the end: %v", s.id, err)
			continue
		}
		disks, keepers = append(disks, disked{id: s.id, found: found}), append(keepers, keeper)
	}
	w.ledger.scan(w.moment(), disks)
	if w.violation == nil {
		w.violation = w.ledger.violation()
	}
	for i := range disks {
		if !w.images {
			return // there is nothing to hold a state against
		}
		w.rebuild(w.servers[disks[i].id-1], &disks[i].found, keepers[i])
	}
}

// rebuild demands that the snapshot on a disk and the log behind it come to the state to which all have come.
// Where all has halted before that, it is to be the state that others have, or had, after the same entry.
func (w *World) rebuild(s *server, found *recovered, keeper *snapshot.Keeper) {
	want := w.healed.state
	front := replica.NewMachineWithin(w.parts.Machine(), w.options.remembered())
	snap, last := found.joined.Snapshot, raft.EntryID{}
	if snap.Last.Index > 0 {
		if done := (replica.Restore{Snapshot: snap}).Perform(front, keeper); done.Err != nil {
			w.fail(Durability, "n%v cannot restore its snapshot at the end: %v", s.id, done.Err)
			return
		}
		last = snap.Last
	}
	halted := want.last.Index == 0
	if !halted && last.Index > want.last.Index {
		return
	}
	var tail []raft.Entry
	for _, e := range found.Entries {
		if e.Index > last.Index && w.ledger.knows(e.ID()) && (halted || e.Index <= want.last.Index) {
			tail = append(tail, e)
		}
	}
	if len(tail) > 0 {
		if ran := (replica.Apply{Entries: tail}).Perform(front); ran.Err != nil {
			w.fail(Durability, "n%v cannot apply what is on its disk: %v", s.id, ran.Err)
			return
		}
		last = tail[len(tail)-1].ID()
	}
	now, err := imageOf(front, last)
	if halted && err == nil {
		if last.Index > 0 {
			w.ledger.imaged(w.moment(), s.id, last, hashBytes(now.bytes), "comes, from its disk, to")
			w.violation = w.ledger.violation()
		}
		return
	}
	if err != nil || !bytes.Equal(now.bytes, want.bytes) {
		w.fail(Durability, "the disk of n%v comes to another state after %v than all had after %v: %v", s.id,
			last, want.last, err)
	}
}
