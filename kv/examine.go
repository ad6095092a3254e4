package kv

import (
	"bufio"
	"io"
)

// Contents is what a snapshot holds, in numbers.
type Contents struct {
	Revision Revision
	Keys     uint64
	Expiring uint64 // keys that go away by themselves
	Bytes    uint64 // of keys and values
}

// Examine reads a whole snapshot as Restore does, with the same errors, and keeps nothing of it but how much
// there was. It needs memory for one item.
func Examine(r io.Reader) (Contents, error) {
	in := &summedReader{r: bufio.NewReaderSize(r, 64<<10)}
	revision, count := in.header()
	c := Contents{Revision: revision}
	last := ""
	for c.Keys < count && in.err == nil {
		key, item := in.item(revision, last)
		last = key
		c.Keys++
		c.Bytes += uint64(len(key) + len(item.Value))
		if item.Expires != 0 {
			c.Expiring++
		}
	}
	in.trailer()
	if in.err != nil {
		return Contents{}, in.err
	}
	return c, nil
}
