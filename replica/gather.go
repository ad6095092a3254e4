package replica

import (
	"slices"

	"balsa/raft"
)

// Group commit: what the core wants written while a write is under way is joined into the next one.

// gatherWrite joins what the core wants written to what waits already. Entries replace those from the same
// index on, in the gathered write as on the disk.
func (r *Replica) gatherWrite(out raft.Output) {
	g := &r.gather
	g.Number = out.Write
	if out.HardState != nil {
		g.State = out.HardState
	}
	g.Repaired = g.Repaired || out.Repaired
	if out.Restart != (raft.EntryID{}) { // nothing stays of what was to be written before
		g.Restart, g.Release, g.Entries = out.Restart, 0, nil
		r.reaches = out.Restart.Index
	}
	if len(out.Entries) == 0 {
		return
	}
	keep := 0
	for keep < len(g.Entries) && g.Entries[keep].Index < out.Entries[0].Index {
		keep++
	}
	if keep == 0 {
		g.Entries = out.Entries
		return
	}
	if keep < len(g.Entries) {
		g.Entries = g.Entries[:keep:keep] // what is cut off may still be part of the log or of a message
	}
	g.Entries = append(g.Entries, out.Entries...)
}

// gatherPeer adds what was met of a peer to what waits to be written, in the order of ids and once for
// each: one sync serves it and everything else.
func (r *Replica) gatherPeer(met raft.Acquaintance) {
	at, waits := slices.BinarySearchFunc(r.gather.Peers, met.Node, byNode)
	if waits {
		r.gather.Peers[at] = met
		return
	}
	r.gather.Peers = slices.Insert(r.gather.Peers, at, met)
}

func (r *Replica) startWrite() {
	if r.writing || r.gather.Number == 0 && len(r.gather.Peers) == 0 && r.gather.Release == 0 {
		return
	}
	r.ready = append(r.ready, r.gather)
	r.gather, r.writing = Write{}, true
}
