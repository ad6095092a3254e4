package sim

import (
	"fmt"
	"strings"
)

// toLeases is `leases drift=0.2`, which has whoever leads asked to switch leases on, with a bound on the
// drift of clocks; `leases off` ends it.
type toLeases struct{ drift int64 } // in millionths; 0: off

func (a toLeases) String() string {
	if a.drift == 0 {
		return "leases off"
	}
	return "leases drift=" + strings.TrimRight(fmt.Sprintf("0.%06d", a.drift), "0")
}

func (p *parser) leases(token) (act, error) {
	if p.word("off") {
		return toLeases{}, nil
	}
	for _, sign := range []string{"drift", "="} {
		if err := p.sign(sign); err != nil {
			return nil, err
		}
	}
	t := p.take()
	seconds, err := ParseTime(t.text + "s") // a second per second
	if drift := int64(seconds / Microsecond); err == nil && drift > 0 && drift <= leaseDrift {
		return toLeases{drift}, nil
	}
	return nil, t.wrong("here the drift of clocks must stand, up to 0.2, not %v", t)
}
