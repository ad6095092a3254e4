package wal

import (
	"fmt"

	"balsa/raft"
)

// Release says that the entries up to through are needed no more, since a snapshot includes them (§7): the
// log begins behind that entry from now on, whatever else its segments hold. Segments with nothing behind
// it are not read again: a few are kept to be used again by Prepare, the others are removed. Released
// entries are never replaced. Through is at most the last entry; if it was released before, nothing is done.
//
// When it returns nil the new beginning is durable; the files may come back after a power cut, and go with
// the next start. After an error the log has ended, as after one of Append, and begins where it did or
// behind through.
func (l *Log) Release(through raft.Index) error {
	if l.err != nil || through <= l.outline.released {
		return l.err
	}
	before := raft.EntryID{Term: l.outline.term(through), Index: through}
	err := l.outline.release(before)
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	} else {
		err = l.rebase(batch{}, before)
	}
	if err != nil {
		l.err = fmt.Errorf("wal: release: %w", err)
	}
	return l.err
}

// Restart has the log begin anew behind an entry, whatever it held: a snapshot that includes that entry has
// come from the leader, and the log conflicts with it or ends before it (§7). The hard state and the peers
// stay. When Restart returns nil it is durable that the log begins behind last and that no entry of before
// counts any more. After an error the log has ended, and a start finds all entries that were there, or none.
// Neither the index nor the term of last is 0, or below that of the entry through which the log was released;
// else it is ErrInvalid, and nothing was written. Other errors are Append's.
func (l *Log) Restart(last raft.EntryID) error {
	if l.err != nil {
		return l.err
	}
	err := l.outline.restart(last)
	if err == nil {
		err = l.chain.needed(last).follows(l.chain.base, l.segment)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	} else {
		// With no entry behind last there is none for whose sake an older segment would be needed: the base
		// is the last one.
		l.chain.tip = last
		err = l.rebase(batch{restart: true}, last)
	}
	if err != nil {
		l.err = fmt.Errorf("wal: restart: %w", err)
	}
	return l.err
}

// rebase makes the new beginning durable, and only then gives up the segments before it: one that is
// missing without a word would be damage.
func (l *Log) rebase(b batch, before raft.EntryID) error {
	base := l.chain.needed(before)
	b.base = &base
	if err := l.commit(b); err != nil {
		return err
	}
	for _, s := range l.chain.dispensable() {
		if err := l.giveUp(s); err != nil {
			return err
		}
	}
	return nil
}

// giveUp keeps a segment's file to be used again, if it has just the size of the next one, or removes it.
// Its name need not go durably: what stands before the base is not read.
func (l *Log) giveUp(s span) error {
	name := segmentName(s.segment)
	if s.size != l.nextSize() || len(l.next.released) == keptReleased {
		if err := l.dir.Remove(name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		return nil
	}
	if err := l.dir.Rename(name, name+temporarySuffix); err != nil {
		return fmt.Errorf("rename %s: %w", name, err)
	}
	l.next.released = append(l.next.released, s)
	return nil
}

// Bytes returns how many bytes the files of the log have: its segments, released ones that wait to be used
// again, and one that is ready to be used. The one that is just being prepared is not counted.
func (l *Log) Bytes() int64 {
	n := bytesOf(l.chain.spans) + bytesOf(l.next.released)
	if l.next.ready != nil {
		n += l.next.ready.size
	}
	return n
}
