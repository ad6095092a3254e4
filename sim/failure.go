package sim

// Differs compares the digests that two runs of one spec have kept, and returns the event after which
// they are known to part; it lies less than DigestEvery events before the first event that differs. A chain
// that ends early says nothing of what comes after it.
func Differs(recorded, now []Digest) (after uint64, differ bool) {
	for i := range min(len(recorded), len(now)) {
		if recorded[i] != now[i] {
			return uint64(i) * DigestEvery, true
		}
	}
	return uint64(min(len(recorded), len(now))) * DigestEvery, len(recorded) != len(now)
}
