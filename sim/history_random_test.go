package sim

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"balsa/raft"
)

// happening is one thing of a random history, so that it can be told twice, and otherwise.
type happening struct {
	call    *Operation
	index   raft.Index // of an entry that is committed: command
	command []byte
	ends    uint64 // the operation that ends so
	reply   Reply
}

// play is a map that is asked by several clients at once and does one thing after the other: whatever it says
// is right.
type play struct {
	happened []happening
	held     map[string]string
	past     []map[string]string // what was held after each entry
	latest   []raft.Index
	open     []*Operation
	doubtful []*Operation // writes whose client knows nothing, which may be done later
	done     map[uint64]Reply
	n        uint64
}

func newPlay() *play {
	return &play{held: map[string]string{}, past: []map[string]string{{}}, latest: make([]raft.Index, 1),
		done: map[uint64]Reply{}}
}

func randomPlay(t *rapid.T) *play {
	p := newPlay()
	keys := rapid.SampledFrom([]string{"a", "b", "c"})
	kinds := []OperationKind{Put, Put, Put, Get, Get, Get, Get}
	if rapid.Bool().Draw(t, "deletes") {
		kinds = append(kinds, Delete)
	}
	for range rapid.IntRange(50, 150).Draw(t, "steps") {
		switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
		case what < 4 && len(p.open) < 6:
			p.n++
			op := &Operation{ID: p.n, Client: int(p.n % 6), Key: keys.Draw(t, "key")}
			op.Kind = rapid.SampledFrom(kinds).Draw(t, "kind")
			op.Value = fmt.Append(nil, "v", p.n)
			op.Mode = rapid.SampledFrom([]ReadMode{Linearizable, Linearizable, Linearizable, Stale}).
				Draw(t, "mode")
			if op.Kind == Get {
				op.Value = nil
			}
			p.open = append(p.open, op)
			p.happened = append(p.happened, happening{call: op})
		case what == 4 && len(p.doubtful) > 0:
			at := rapid.IntRange(0, len(p.doubtful)-1).Draw(t, "doubtful")
			p.do(p.doubtful[at])
			p.doubtful = slices.Delete(p.doubtful, at, at+1)
		case what == 5:
			p.append(nil)
		case len(p.open) > 0:
			p.proceed(t, rapid.IntRange(0, len(p.open)-1).Draw(t, "open"))
		}
	}
	return p
}

// proceed does an open operation, or answers it.
func (p *play) proceed(t *rapid.T, at int) {
	op := p.open[at]
	_, done := p.done[op.ID]
	outcome := rapid.SampledFrom([]Outcome{OK, OK, OK, OK, OK, OK, OK, No, Unknown}).Draw(t, "outcome")
	switch {
	case outcome == OK && !done:
		p.do(op)
		return
	case outcome == No && done:
		outcome = OK
	case outcome == Unknown && !done && op.Kind != Get:
		p.doubtful = append(p.doubtful, op)
	}
	reply := Reply{Outcome: outcome}
	if outcome == OK {
		reply = p.done[op.ID]
	}
	if outcome == OK && op.Kind == Get && op.Mode == Stale {
		reply = p.look(op.Key, raft.Index(rapid.IntRange(0, len(p.past)-1).Draw(t, "at")))
	}
	p.open = slices.Delete(p.open, at, at+1)
	p.happened = append(p.happened, happening{ends: op.ID, reply: reply})
}

// do lets an operation take effect.
func (p *play) do(op *Operation) {
	if op.Kind == Get {
		p.done[op.ID] = p.look(op.Key, raft.Index(len(p.past)-1))
		return
	}
	_, found := p.held[op.Key]
	index := p.append(op)
	p.done[op.ID] = Reply{Outcome: OK, Revision: index, Latest: p.latest[index],
		Created: op.Kind == Put && !found, Deleted: op.Kind == Delete && found}
}

// append commits an entry.
func (p *play) append(op *Operation) raft.Index {
	index, latest := raft.Index(len(p.past)), p.latest[len(p.latest)-1]
	h := happening{index: index}
	if op != nil {
		h.command = op.Command()
		_, found := p.held[op.Key]
		if op.Kind == Put || found {
			latest = index
		}
		if p.held[op.Key] = string(op.Value); op.Kind == Delete {
			delete(p.held, op.Key)
		}
	}
	now := map[string]string{}
	for key, value := range p.held {
		now[key] = value
	}
	p.happened, p.past, p.latest = append(p.happened, h), append(p.past, now), append(p.latest, latest)
	return index
}

func (p *play) look(key string, at raft.Index) Reply {
	value, found := p.past[at][key]
	r := Reply{Outcome: OK, Revision: at, Latest: p.latest[at], Found: found}
	if found {
		r.Read = []byte(value)
	}
	return r
}

// whole tells everything to a history.
func (p *play) whole() *Violation {
	b := &book{h: newHistory()}
	for _, s := range p.happened {
		b.now.Position++
		b.now.Time += Millisecond
		switch {
		case s.call != nil:
			b.h.call(b.now, *s.call)
		case s.index != 0:
			b.h.committed(b.now, s.index, s.command)
		default:
			b.h.finish(b.now, s.ends, s.reply)
		}
	}
	b.h.end(b.now)
	return b.h.violation()
}

// searchedAlone tells it to porcupine alone.
func (p *play) searchedAlone() *Violation {
	h := newHistory()
	open := map[uint64]*pending{}
	for i, s := range p.happened {
		m := Moment{Position: uint64(i + 1)}
		switch {
		case s.call != nil:
			op := &pending{Operation: *s.call}
			open[op.ID] = op
			if op.Called = m; op.Kind != Get {
				op.wish = h.wanted(op)
			}
			if op.Kind != Get || op.Mode == Linearizable {
				op.searched = h.second.call(&op.Operation, op.wish)
			}
		case s.index != 0 && len(s.command) > 0:
			h.wishes[hashBytes(s.command)].committed++
		case s.ends != 0:
			op := open[s.ends]
			op.Reply, op.Returned = s.reply, m
			if op.searched != nil {
				h.second.finish(op.searched, s.reply)
			}
		}
	}
	for _, k := range h.second.rest() {
		h.judge(Moment{}, k)
	}
	return h.violation()
}

func TestRandomHistoriesAreExplained(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := randomPlay(t)
		if v := p.whole(); v != nil {
			t.Fatal(v)
		}
		if v := p.searchedAlone(); v != nil {
			t.Fatal(v)
		}
	})
}

// TestOneLieIsFound changes one answer in a history that is right, such that no order explains it. Both
// checks must find it, each without the other. Every history ends such that each kind of lie can be told.
func TestOneLieIsFound(t *testing.T) {
	for _, kind := range []struct {
		name string
		tell func(p *play, at int) bool
	}{
		{"the past", (*play).tellPast},
		{"the past as new", (*play).tellPastAsNew},
		{"nothing", (*play).tellNothing},
		{"nonsense", (*play).tellNonsense},
	} {
		t.Run(kind.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				p := randomPlay(t)
				p.overwrite("d")
				var places []int // where it can be told
				for at := range p.happened {
					if q := *p; kind.tell(&q, at) {
						places = append(places, at)
					}
				}
				kind.tell(p, rapid.SampledFrom(places).Draw(t, "place"))
				if v := p.whole(); !explains(v) {
					t.Fatalf("the whole check: %v", v)
				}
				if v := p.searchedAlone(); !explains(v) {
					t.Fatalf("porcupine: %v", v)
				}
			})
		})
	}
}

// explains reports whether a lie is told of as one, with what contradicts it.
func explains(v *Violation) bool {
	return v != nil && v.Property == Linearizability && len(v.Witnesses) == 2
}

// overwrite puts a key twice and reads it, one after the other.
func (p *play) overwrite(key string) {
	for _, kind := range []OperationKind{Put, Put, Get} {
		p.n++
		op := &Operation{ID: p.n, Client: int(p.n % 6), Key: key, Kind: kind, Mode: Linearizable}
		if kind == Put {
			op.Value = fmt.Append(nil, "v", p.n)
		}
		p.happened = append(p.happened, happening{call: op})
		p.do(op)
		p.happened = append(p.happened, happening{ends: op.ID, reply: p.done[op.ID]})
	}
}

// liable returns the linearizable read that ends there, and what was surely overwritten when it was called:
// the revision of the last answer to a put of this key, and the answer to the put before it.
func (p *play) liable(at int) (op *Operation, put, before Reply, value []byte) {
	h := p.happened[at]
	if h.ends == 0 || h.reply.Outcome != OK {
		return nil, put, before, nil
	}
	ops := map[uint64]*Operation{}
	began := map[uint64]int{}
	for i, s := range p.happened {
		if s.call != nil {
			ops[s.call.ID], began[s.call.ID] = s.call, i
		}
	}
	if op = ops[h.ends]; op.Kind != Get || op.Mode != Linearizable {
		return nil, put, before, nil
	}
	answered := -1
	var second *Operation
	for i, s := range p.happened[:began[op.ID]] { // the put that was answered last
		if w := ops[s.ends]; w != nil && w.Kind == Put && w.Key == op.Key && s.reply.Outcome == OK {
			second, put, answered = w, s.reply, i
		}
	}
	if answered < 0 {
		return op, put, before, nil
	}
	for _, s := range p.happened[:began[second.ID]] { // and one that was answered before that was called
		if w := ops[s.ends]; w != nil && w.Kind == Put && w.Key == op.Key && s.reply.Outcome == OK {
			before, value = s.reply, w.Value
		}
	}
	return op, put, before, value
}

func (p *play) lie(at int, r Reply) bool {
	p.happened = slices.Clone(p.happened)
	p.happened[at].reply = r
	return true
}

// tellPast answers with an old revision.
func (p *play) tellPast(at int) bool {
	op, _, before, value := p.liable(at)
	return op != nil && value != nil && p.lie(at, p.look(op.Key, before.Revision))
}

// tellPastAsNew answers with an old value and the newest revision.
func (p *play) tellPastAsNew(at int) bool {
	op, _, _, value := p.liable(at)
	r := p.happened[at].reply
	r.Found, r.Read = true, value
	return op != nil && value != nil && p.lie(at, r)
}

// tellNothing says that a key is absent that nobody ever deleted.
func (p *play) tellNothing(at int) bool {
	op, put, _, _ := p.liable(at)
	if op == nil || put.Revision == 0 {
		return false
	}
	for _, s := range p.happened {
		if s.call != nil && s.call.Kind == Delete && s.call.Key == op.Key {
			return false
		}
	}
	r := p.happened[at].reply
	r.Found, r.Read = false, nil
	return p.lie(at, r)
}

// tellNonsense answers with what nobody wrote.
func (p *play) tellNonsense(at int) bool {
	op, _, _, _ := p.liable(at)
	r := p.happened[at].reply
	r.Found, r.Read = true, []byte("nonsense")
	return op != nil && p.lie(at, r)
}
