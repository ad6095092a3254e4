package replica

import (
	"sort"

	"balsa/raft"
)

// maxResults and maxResultBytes bound what an origin keeps for answers that are late.
const (
	maxResults     = 1 << 14
	maxResultBytes = 16 << 20
)

// results are those of a run of applied entries. An entry may be applied here before the leader's answer says
// whose command it is, so they are kept for a while.
//
//	before   entries[0]                     the last one applied
//	  │        ▼                                  ▼
//	──┤ not kept │ result │ result │ … │ result │ not applied yet
type results struct {
	before  raft.Index // nothing is known of the entries up to it
	entries []applied
	bytes   int
}

type applied struct {
	entry  raft.EntryID
	result Result
}

// add keeps the results of a batch.
func (k *results) add(ran Ran) {
	if len(k.entries) == 0 {
		k.before = ran.Entries[0].Index - 1
	}
	for i, e := range ran.Entries {
		k.entries = append(k.entries, applied{entry: e.ID(), result: ran.Results[i]})
		k.bytes += len(ran.Results[i].Bytes)
	}
}

// judge tells what became of an entry, as far as what was applied here tells.
func (k *results) judge(entry raft.EntryID) (a Answer, known bool) {
	if entry.Index <= k.before {
		return Answer{Fate: Unanswered, Entry: entry}, true
	}
	if len(k.entries) == 0 {
		return Answer{}, false
	}
	if last := k.entries[len(k.entries)-1].entry; entry.Index > last.Index {
		// A later term before the entry's place: the log that held the entry has been replaced from there on.
		return Answer{Fate: Replaced, Entry: entry}, last.Term > entry.Term
	}
	there := k.entries[entry.Index-k.before-1]
	if there.entry != entry {
		return Answer{Fate: Replaced, Entry: entry}, true
	}
	return there.result.answer(entry), true
}

// forget drops the results of the entries up to an index.
func (k *results) forget(through raft.Index) {
	k.drop(sort.Search(len(k.entries), func(i int) bool { return k.entries[i].entry.Index > through }))
}

// skip forgets all results, of a machine that has jumped: of entries up to that index nothing will be known.
func (k *results) skip(through raft.Index) { *k = results{before: through} }

// bound drops the oldest results beyond what may be kept. The last one stays: its term tells what was
// replaced.
func (k *results) bound() {
	excess, bytes := 0, k.bytes
	for excess < len(k.entries)-1 && (len(k.entries)-excess > maxResults || bytes > maxResultBytes) {
		bytes -= len(k.entries[excess].result.Bytes)
		excess++
	}
	k.drop(excess)
}

func (k *results) drop(n int) {
	for _, e := range k.entries[:n] {
		k.before = e.entry.Index
		k.bytes -= len(e.result.Bytes)
	}
	clear(k.entries[:n]) // the array lives on for a while, the results need not
	k.entries = k.entries[n:]
}
