package replica

import (
	"slices"

	"balsa/raft"
)

// manyToApply is how many entries are not copied only to apply them together with others. They take some
// batches anyway.
const manyToApply = 1 << 12

// queue puts entries behind those that are to be applied: into one row with the last of them, as one Apply
// serves them together, unless these are so many that to copy them would take longer than that saves.
func (r *Replica) queue(entries []raft.Entry) {
	if last := len(r.toApply) - 1; last >= 0 && len(r.toApply[last]) < manyToApply {
		r.toApply[last] = append(r.toApply[last], entries...)
		return
	}
	r.toApply = append(r.toApply, entries)
}

// unqueue drops what is to be applied up to an index.
func (r *Replica) unqueue(through raft.Index) {
	for len(r.toApply) > 0 && r.toApply[0][0].Index <= through {
		first := r.toApply[0]
		if n := through + 1 - first[0].Index; n < raft.Index(len(first)) {
			r.toApply[0] = first[n:]
			return
		}
		r.toApply = slices.Delete(r.toApply, 0, 1)
	}
}

// startApply hands out the entries that come next, as many as fit. The one after which a snapshot is due is
// the last of them: where a batch happens to end is another place on each server, and so would be its
// snapshots.
func (r *Replica) startApply() {
	if len(r.toApply) == 0 {
		return
	}
	n, size, until, image, next := 0, 0, r.untilCapture(), r.nextImage(), r.toApply[0]
	for n < len(next) && size < until && next[n].Index <= image {
		if size += next[n].Size(); size > r.config.MaxApplyBytes && n > 0 {
			break
		}
		n++
	}
	if n == 0 {
		return
	}
	r.occupy(Apply{Entries: next[:n:n]})
	if r.toApply[0] = next[n:]; n == len(next) {
		r.toApply = slices.Delete(r.toApply, 0, 1)
	}
}
