package raft

import "slices"

// pageEntries is how many entries a page has. An array that grows with the log would be copied each time it
// is full, and tens of milliseconds are an election timeout.
const pageEntries = 1 << 12

// pages are entries in a row. They are immutable and handed out by reference: no array is overwritten in
// place, for a write still in flight, or a message, would find other entries under its hands.
type pages struct {
	full  [][]Entry // all but the last have pageEntries, the first with those that are skipped
	skip  int       // entries of the first page that were dropped
	count int
	array []Entry // until some are dropped: what the first pages are parts of, any of which holds all of it
}

// paged makes pages of entries, which must not be written to any more.
func paged(entries []Entry) pages {
	p := pages{count: len(entries), array: entries}
	for len(entries) > 0 {
		n := min(len(entries), pageEntries)
		p.full = append(p.full, entries[:n:n])
		entries = entries[n:]
	}
	return p
}

func (p *pages) at(i int) *Entry {
	i += p.skip
	return &p.full[i/pageEntries][i%pageEntries]
}

// view returns the entries from one on and before another, as a slice that appending cannot extend. Those of
// several pages are copied, unless they are parts of one array.
func (p *pages) view(from, to int) []Entry {
	if from >= to {
		return nil
	}
	a, b := from+p.skip, to+p.skip
	if b <= len(p.array) {
		return p.array[a:b:b]
	}
	if page := a / pageEntries; page == (b-1)/pageEntries {
		return p.full[page][a%pageEntries : b-page*pageEntries : b-page*pageEntries]
	}
	gathered := make([]Entry, 0, to-from)
	for a < b {
		page := p.full[a/pageEntries]
		piece := page[a%pageEntries : min(len(page), a%pageEntries+b-a)]
		gathered = append(gathered, piece...)
		a += len(piece)
	}
	return gathered
}

// together returns a view of those entries, or only of those that lie in the array when they are many and the
// others do not.
func (p *pages) together(from, to int) []Entry {
	if end := len(p.array) - p.skip; to > end && end > from+pageEntries {
		to = end
	}
	return p.view(from, to)
}

// append adds entries. The first page grows as it is needed; those after it are whole from the beginning.
func (p *pages) append(entries []Entry) {
	p.count += len(entries)
	for len(entries) > 0 {
		last := len(p.full) - 1
		if last < 0 || len(p.full[last]) == pageEntries {
			room := pageEntries
			if last++; last == 0 {
				room = min(len(entries), pageEntries)
			}
			p.full = append(p.full, make([]Entry, 0, room))
		}
		n := min(len(entries), pageEntries-len(p.full[last]))
		p.full[last] = append(p.full[last], entries[:n]...)
		entries = entries[n:]
	}
}

// keep drops what follows the first n entries. The last page is abandoned for a copy when it is appended to.
func (p *pages) keep(n int) {
	p.count = n
	whole := (n + p.skip + pageEntries - 1) / pageEntries
	if p.array = p.array[:min(len(p.array), n)]; whole <= 1 {
		p.array = nil // all of it would stay for what is left of the only page
	}
	if n == 0 {
		whole, p.skip = 0, 0
	}
	p.full = slices.Clone(p.full[:whole])
	if whole > 0 {
		p.full[whole-1] = slices.Clip(p.full[whole-1][:n+p.skip-(whole-1)*pageEntries])
	}
}

// drop drops the first n entries. They themselves are left alone, as somebody may still be reading them. What
// remains of their page moves to an array of its own: the dropped ones, whose commands may be large, would
// otherwise stay with it.
func (p *pages) drop(n int) {
	p.count -= n
	p.skip += n
	if p.count == 0 {
		*p = pages{}
		return
	}
	p.full = slices.Clone(p.full[p.skip/pageEntries:])
	p.skip %= pageEntries
	moving := p.full[:1]
	if p.array != nil {
		moving = p.full
	}
	from := p.skip
	for i, page := range moving {
		moving[i], from = append(make([]Entry, from, cap(page)), page[from:]...), 0
	}
	p.array = nil
}

// clone returns pages that share nothing that either writes to.
func (p *pages) clone() pages {
	c := *p
	c.full = slices.Clone(p.full)
	if last := len(c.full) - 1; last >= 0 {
		c.full[last] = slices.Clip(c.full[last])
	}
	return c
}
