package explore

// seen is a set of hashes: open addressing in one slice without pointers, two thirds full at most, eight
// bytes a place.
type seen struct {
	places []uint64 // 0 is free
	count  int
}

func newSeen() *seen { return &seen{places: make([]uint64, 1<<16)} }

// add puts a hash into the set and reports whether it is new.
func (s *seen) add(h uint64) bool {
	if 3*(s.count+1) > 2*len(s.places) {
		old := s.places
		s.places = make([]uint64, 2*len(old))
		for _, h := range old {
			if h != 0 {
				*s.place(h) = h
			}
		}
	}
	p := s.place(h)
	if *p == h {
		return false
	}
	*p = h
	s.count++
	return true
}

// place finds where a hash stands, or would.
func (s *seen) place(h uint64) *uint64 {
	mask := uint64(len(s.places) - 1)
	for i := h >> 1 & mask; ; i = (i + 1) & mask {
		if p := &s.places[i]; *p == 0 || *p == h {
			return p
		}
	}
}

// belt is a sequence of packed worlds in pieces, so that it grows without being copied and its beginning can
// be let go.
type belt struct {
	pieces [][]byte
	count  int
}

const pieceSize = 1 << 20

func (b *belt) add(packed []byte) {
	last := len(b.pieces) - 1
	if last < 0 || len(b.pieces[last])+len(packed) > pieceSize {
		b.pieces = append(b.pieces, make([]byte, 0, pieceSize))
		last++
	}
	b.pieces[last] = append(b.pieces[last], packed...)
	b.count++
}
