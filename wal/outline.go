package wal

import (
	"fmt"

	"balsa/raft"
	"balsa/wire"
)

// outline is what must be known of a log to judge what may come next: where it ends, and where each term
// begins. What Append accepts and what recovery accepts are judged by the same method, so that nothing is
// written that could not be read again.
//
//	index  1  2  3  4  5  6  7
//	term   1  1  1  4  4  5  5     terms {1 from 1} {4 from 4} {5 from 6}, last 7
type outline struct {
	last  raft.Index
	terms []termRun
}

// termRun says that the entries from first on are of one term.
type termRun struct {
	term  raft.Term
	first raft.Index
}

// accept takes entries that replace everything from the first one's index on. An error says what is wrong
// with them; the outline is then of no more use.
func (o *outline) accept(entries []raft.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	first := entries[0].Index
	if first == 0 || first > o.last+1 {
		return fmt.Errorf("entry %v does not join the log, which ends at %d", entries[0].ID(), o.last)
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
