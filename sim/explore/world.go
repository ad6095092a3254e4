package explore

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

const maxServers = 5

// world is one state of everything, as numbers of what is remembered elsewhere.
type world struct {
	size    int
	servers [maxServers]uint32
	history uint32
	used    [kinds]uint8 // of the bounds, by kind of action
	mail    []uint32     // messages under way, sorted; equal ones side by side
}

// pack appends a world in a form in which equal worlds are equal bytes.
func (w *world) pack(b []byte) []byte {
	for _, s := range w.servers[:w.size] {
		b = binary.AppendUvarint(b, uint64(s))
	}
	b = binary.AppendUvarint(b, uint64(w.history))
	b = append(b, w.used[duplicate:]...)
	b = binary.AppendUvarint(b, uint64(len(w.mail)))
	before := uint32(0)
	for _, n := range w.mail {
		b = binary.AppendUvarint(b, uint64(n-before))
		before = n
	}
	return b
}

// unpack reads what pack wrote and returns what follows it. The size is that of w.
func (w *world) unpack(b []byte) []byte {
	number := func() uint32 {
		n, length := binary.Uvarint(b)
		b = b[length:]
		return uint32(n)
	}
	for i := range w.size {
		w.servers[i] = number()
	}
	w.history = number()
	b = b[copy(w.used[duplicate:], b):]
	w.mail = w.mail[:0]
	before := uint32(0)
	for range number() {
		before += number()
		w.mail = append(w.mail, before)
	}
	return b
}

func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, v^0xe7037ed1a0b428db)
	return hi ^ lo ^ bits.RotateLeft64(h, 23) + v
}

// become makes w the world that follows another by an action with that outcome.
func (w *world) become(from *world, a action, place int, o *outcome) {
	mail := append(w.mail[:0], from.mail...)
	*w = *from
	w.mail = mail
	if a.kind() >= duplicate {
		w.used[a.kind()]++
	}
	w.servers[place] = o.next
	if a.kind() == deliver || a.kind() == late {
		w.take(a.letter())
	}
	for _, n := range o.sent {
		at, _ := slices.BinarySearch(w.mail, n)
		w.mail = slices.Insert(w.mail, at, n)
	}
}

// take removes one message.
func (w *world) take(letter uint32) {
	at, _ := slices.BinarySearch(w.mail, letter)
	w.mail = slices.Delete(w.mail, at, at+1)
}
