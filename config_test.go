package balsa

import (
	"testing"
	"time"
)

// Whoever sets one of the two times gets another one that goes with it.
func TestTheElectionTimesFollowEachOther(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct{ least, most, wantLeast, wantMost time.Duration }{
		{0, 0, 300 * ms, 500 * ms},
		{600 * ms, 0, 600 * ms, 1000 * ms},
		{0, 900 * ms, 300 * ms, 900 * ms},
		{400 * ms, 500 * ms, 400 * ms, 500 * ms},
	} {
		c := Config{ElectionMin: test.least, ElectionMax: test.most}
		c.setDefaults()
		if c.ElectionMin != test.wantLeast || c.ElectionMax != test.wantMost {
			t.Errorf("%v..%v became %v..%v", test.least, test.most, c.ElectionMin, c.ElectionMax)
		}
	}
}
