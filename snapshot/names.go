package snapshot

import (
	"fmt"
	"strconv"
	"strings"

	"balsa/raft"
)

const (
	suffix        = ".snapshot"
	partialSuffix = ".snapshot.part"
	writingName   = "create.snapshot.tmp"
	digits        = 20
)

// fileName is the name of the snapshot whose last entry is id. Names sort as indexes do.
func fileName(id raft.EntryID) string { return stem(id) + suffix }

// partialName is the name of a snapshot that is being received. It says which one, so that bytes of another
// are not taken for the beginning of it.
func partialName(id raft.EntryID, size int64) string {
	return fmt.Sprintf("%s-%0*d%s", stem(id), digits, size, partialSuffix)
}

func stem(id raft.EntryID) string {
	return fmt.Sprintf("%0*d-t%0*d", digits, uint64(id.Index), digits, uint64(id.Term))
}

// parseFileName reads what fileName wrote, and nothing else.
func parseFileName(name string) (id raft.EntryID, ok bool) {
	index, term, ok := strings.Cut(strings.TrimSuffix(name, suffix), "-t")
	id = raft.EntryID{Term: raft.Term(number(term)), Index: raft.Index(number(index))}
	return id, ok && name == fileName(id)
}

// parsePartialName reads what partialName wrote, and nothing else.
func parsePartialName(name string) (id raft.EntryID, size int64, ok bool) {
	last := strings.LastIndexByte(name, '-')
	if last < 0 {
		return id, 0, false
	}
	id, ok = parseFileName(name[:last] + suffix)
	size = int64(number(strings.TrimSuffix(name[last+1:], partialSuffix)))
	return id, size, ok && name == partialName(id, size)
}

// number is 0 for what is none: the name that is made of it then differs from the one that was read, but
// for one with a 0, of which there is no snapshot.
func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
