package sim

import (
	"fmt"
	"slices"
)

const (
	// keyLife is how many operations a key of a slot sees: the longer, the more each costs to search.
	keyLife = 128
	// keyLimit is where other keys, which a script names, are no longer recorded.
	keyLimit = 1000
	// never is later than every answer.
	never = 1 << 62
)

// opinion collects the operations of every key until they are judged.
type opinion struct {
	clock int64 // counts calls: two that happen in one event still have an order
	keys  map[string]*keyHistory
	order []*keyHistory // of keys that are not judged
	slots []*keyHistory
	age   []int // of the slots: how many keys each has given up
}

// keyHistory is what was asked for and told about one key.
type keyHistory struct {
	name   string
	ops    []*searched
	open   int
	given  bool // up: no operation on it will begin
	judged bool
	left   bool // to the main check
}

// searched is an operation as porcupine sees it.
type searched struct {
	op               *Operation
	wish             *wish
	key              *keyHistory
	called, returned int64  // by the opinion's clock; an answer that tells nothing never comes
	hash             uint64 // of the value
	value            any    // a number that stands for it on this key; 0 is absence
}

func newOpinion() opinion { return opinion{keys: map[string]*keyHistory{}} }

// name returns the name of a slot's key, and the key that was given up for it, if it is ready to be judged.
func (o *opinion) name(slot int) (name string, full *keyHistory) {
	for len(o.slots) <= slot {
		o.slots = append(o.slots, o.fresh(fmt.Sprintf("k%d", len(o.slots))))
		o.age = append(o.age, 0)
	}
	k := o.slots[slot]
	if len(k.ops) < keyLife {
		return k.name, nil
	}
	o.age[slot]++
	o.slots[slot] = o.fresh(fmt.Sprintf("k%d.%d", slot, o.age[slot]))
	k.given = true
	return o.slots[slot].name, o.ready(k)
}

func (o *opinion) fresh(name string) *keyHistory {
	k := o.keys[name]
	if k == nil {
		k = &keyHistory{name: name}
		o.keys[name] = k
		o.order = append(o.order, k)
	}
	return k
}

// ready takes a key out if it is given up and all that was asked has ended.
func (o *opinion) ready(k *keyHistory) *keyHistory {
	if !k.given || k.open > 0 {
		return nil
	}
	k.judged = true
	o.order = slices.DeleteFunc(o.order, func(other *keyHistory) bool { return other == k })
	return k
}

// leave leaves a key to the main check: one that counts, or that goes away by itself; and one with a put that
// is carried out twice, for its key had been forgotten, which no order of one of each explains.
func (o *opinion) leave(key string) {
	o.fresh(key).left = true
}

// rest takes out all keys that are not judged.
func (o *opinion) rest() []*keyHistory {
	rest := o.order
	for _, k := range rest {
		k.judged = true
	}
	o.order = nil
	return rest
}

// call records an operation; nil if its key has had too many, is judged, or left to the main check.
func (o *opinion) call(op *Operation, w *wish) *searched {
	o.clock++
	k := o.fresh(op.Key)
	if k.judged || k.left || len(k.ops) >= keyLimit {
		return nil
	}
	s := &searched{op: op, wish: w, key: k, called: o.clock, returned: never}
	if op.repeatable() { // to ask again under the same number or key is to go on asking
		if w.asked == 0 {
			w.asked = o.clock
		}
		s.called = w.asked
	}
	if op.Kind == Put {
		s.hash = w.value
	}
	k.ops, k.open = append(k.ops, s), k.open+1
	return s
}

// finish records the answer, and returns the key if it is ready to be judged.
func (o *opinion) finish(s *searched, r Reply) *keyHistory {
	s.key.open--
	if r.Outcome == OK {
		s.returned = o.clock // with the last call, which had begun: the two overlap
	}
	if r.Outcome == OK && s.wish != nil {
		s.wish.done++
	}
	if s.op.Kind == Get {
		s.hash = hashBytes(r.Read)
	}
	return o.ready(s.key)
}

// searchable numbers the values and leaves out what says nothing: what was never done, reads that were not
// answered, and writes of unknown fate that cannot have been seen: puts whose value nobody read, and deletes
// when no more are committed than were answered. Such a put may have been done between two operations, but
// if so, the next one on this key wrote again, and the order without it explains as much. For that to be so,
// what a write was told about the key before it is not looked at here; the main check does.
func (k *keyHistory) searchable() (kept []*searched) {
	seen := k.number()
	for _, s := range k.ops {
		switch known := s.op.Outcome == OK; {
		case s.op.Outcome == No:
		case !known && s.op.Kind == Get:
		case !known && s.op.Kind == Put && !seen[s.value]:
		case !known && s.op.Kind == Delete && s.wish.committed <= s.wish.done:
		default:
			kept = append(kept, s)
		}
	}
	return kept
}

// number gives every value on the key a small number, and says which have been read. Numbers that are made
// once take no memory for every state that is tried.
func (k *keyHistory) number() (seen map[any]bool) {
	numbers := map[uint64]any{}
	seen = map[any]bool{}
	for _, s := range k.ops {
		s.value = any(0)
		if s.op.Kind == Delete || s.op.Kind == Get && !(s.op.Outcome == OK && s.op.Found) {
			continue
		}
		n, ok := numbers[s.hash]
		if !ok {
			n = any(len(numbers) + 1)
			numbers[s.hash] = n
		}
		s.value = n
		if s.op.Kind == Get {
			seen[n] = true
		}
	}
	return seen
}
