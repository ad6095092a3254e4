package wal

import (
	"fmt"
	"slices"

	"balsa/raft"
	"balsa/wire"
)

// outline is what must be known of a log to judge what may come next: where it begins and ends, and where
// each term begins. What Append, Release and Restart accept and what recovery accepts are judged by the same
// methods, so that nothing is written that could not be read again.
//
//	index  (5)  6  7  8  9 10 11
//	term    1   1  1  4  4  5  5    terms {1 from 5} {4 from 8} {5 from 10}, released 5, last 11
//
// Recovery meets batches that replaced entries of segments that are gone, before it meets the release that
// let these go. Then the terms of what lies between are not known, and are not asked for.
type outline struct {
	released raft.Index // what is there up to it is needed no more, and replaced never
	last     raft.Index
	terms    []termRun // begin with the first entry of which the term is known
}

// termRun says that the entries from first on are of one term.
type termRun struct {
	term  raft.Term
	first raft.Index
}

// tip is the last entry; its term is 0 if it was not told.
func (o *outline) tip() raft.EntryID { return raft.EntryID{Term: o.term(o.last), Index: o.last} }

// term is the term of an entry, 0 if it was not told.
func (o *outline) term(index raft.Index) (term raft.Term) {
	for _, run := range o.terms {
		if run.first <= index {
			term = run.term
		}
	}
	return term
}

// begin has the log begin behind an entry, whatever it held.
func (o *outline) begin(before raft.EntryID) {
	o.last, o.terms = before.Index, nil
	if before.Index > 0 {
		o.terms = []termRun{{term: before.Term, first: before.Index}}
	}
}

// restart drops everything: the log goes on behind last.
func (o *outline) restart(last raft.EntryID) error {
	if last.Index < o.released || last.Index == 0 {
		return fmt.Errorf("a restart behind %v, though everything up to %d was released", last, o.released)
	}
	o.begin(last)
	o.released = last.Index
	return nil
}

// release gives up the entries up to one.
func (o *outline) release(through raft.EntryID) error {
	term := o.term(through.Index)
	switch {
	case through.Index > o.last || through.Index < o.released:
		return fmt.Errorf("a release through %v of a log that ends at %d and was released through %d",
			through, o.last, o.released)
	case term != through.Term && term != 0:
		return fmt.Errorf("a release through %v, where the log has an entry of term %d", through, term)
	}
	o.released = through.Index
	if len(o.terms) > 0 && through.Index+1 < o.terms[0].first {
		return nil
	}
	first := slices.IndexFunc(o.terms, func(run termRun) bool { return run.first > through.Index })
	if first < 0 {
		first = len(o.terms)
	}
	o.terms = slices.Replace(o.terms, 0, first, termRun{term: through.Term, first: through.Index})
	return nil
}

// accept takes entries that replace everything from the first one's index on. An error says what is wrong
// with them; the outline is then of no more use.
func (o *outline) accept(entries []raft.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	first := entries[0].Index
	if first <= o.released || first > o.last+1 {
		return fmt.Errorf("entry %v does not join the log, which was released through %d and ends at %d",
			entries[0].ID(), o.released, o.last)
	}
	o.cut(first)
	for i := range entries {
		if err := o.push(&entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// cut forgets everything from first on.
func (o *outline) cut(first raft.Index) {
	o.last = first - 1
	for n := len(o.terms); n > 0 && o.terms[n-1].first >= first; n-- {
		o.terms = o.terms[:n-1]
	}
}

// push takes the next entry.
func (o *outline) push(e *raft.Entry) error {
	var term raft.Term
	if n := len(o.terms); n > 0 {
		term = o.terms[n-1].term
	}
	switch {
	case e.Index != o.last+1:
		return fmt.Errorf("entry %v comes after index %d", e.ID(), o.last)
	case e.Term < term || e.Term == 0:
		return fmt.Errorf("entry %v comes after one of term %d", e.ID(), term)
	case !e.Kind.Valid():
		return fmt.Errorf("entry %v is of no known kind: %v", e.ID(), e.Kind)
	case len(e.Command) > wire.MaxCommand:
		return fmt.Errorf("entry %v has %d bytes, at most %d", e.ID(), len(e.Command), wire.MaxCommand)
	}
	if e.Term > term {
		o.terms = append(o.terms, termRun{term: e.Term, first: e.Index})
	}
	o.last = e.Index
	return nil
}
