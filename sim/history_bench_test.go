package sim

import (
	"fmt"
	"testing"

	"balsa/raft"
)

// BenchmarkHistory is the cost of all checks for one operation of the reference load: five clients that
// overlap, ten keys, half of the operations are reads.
func BenchmarkHistory(b *testing.B) {
	const clients = 5
	h := newHistory()
	var m Moment
	var index, latest raft.Index
	dice := roll(1)
	held := map[string][]byte{}
	for n := 0; b.Loop(); n += clients {
		var ops [clients]Operation
		for i := range ops {
			dice = dice.again()
			op := &ops[i]
			*op = Operation{ID: uint64(n+i) + 1, Client: i, Kind: Get, Key: h.key(int(dice.below(10)))}
			if dice.again().below(2) == 0 {
				op.Kind, op.Value = Put, fmt.Appendf(nil, "value %d of client %d", n, i)
			}
			op.Deadline = m.Time + 3*Second
			m.Position++
			h.call(m, *op)
		}
		for i := range ops {
			op, r := &ops[i], Reply{Outcome: OK}
			m.Position++
			m.Time += 100 * Millisecond
			value, found := held[op.Key]
			if op.Kind == Put {
				index++
				h.committed(m, index, op.Command())
				latest, held[op.Key], r.Created = index, op.Value, !found
			} else {
				r.Found, r.Read = found, value
			}
			r.Revision, r.Latest = index, latest
			h.finish(m, op.ID, r)
			h.overdue(m)
		}
	}
	h.end(m)
	if h.found != nil {
		b.Fatal(h.found)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(h.tally.OK), "ns/operation")
	b.ReportMetric(float64(h.tally.Searched)/float64(h.tally.OK), "searched/operation")
}
