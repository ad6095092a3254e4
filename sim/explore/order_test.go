package explore

import (
	"testing"

	"balsa/raft"
)

// TestWorldsAreToldApartByTheOrderOfSequences puts two different messages under way to the same server and
// moves their sequences.
func TestWorldsAreToldApartByTheOrderOfSequences(t *testing.T) {
	hash := func(first, second, last uint64) uint64 {
		var e explorer
		for id := range raft.NodeID(3) {
			e.servers = append(e.servers, &server{id: id + 1, last: last})
		}
		for i, s := range []uint64{first, second} {
			e.post.letters = append(e.post.letters, letter{From: 1, To: 2, like: uint32(i),
				paired: pairing(1, 2, raft.Sequence(s))})
		}
		return e.hash(&world{size: 3, servers: [maxServers]uint32{0, 1, 2}, mail: []uint32{0, 1}})
	}
	if hash(3, 5, 5) != hash(4, 9, 12) {
		t.Error("how far a server has counted tells worlds apart")
	}
	if hash(3, 5, 5) == hash(5, 3, 5) {
		t.Error("the order does not tell worlds apart")
	}
	if hash(3, 5, 5) == hash(4, 4, 5) {
		t.Error("whether sequences are equal does not tell worlds apart")
	}
	if hash(3, 5, 1) == hash(4, 6, 1) {
		t.Error("after a restart the numbers do not tell worlds apart, and they will be given again")
	}
}

// TestPackedWorlds packs a world and unpacks it.
func TestPackedWorlds(t *testing.T) {
	w := world{size: 3, servers: [maxServers]uint32{7, 70000, 3}, history: 300,
		mail: []uint32{1, 1, 5, 1 << 20}}
	w.used[crash], w.used[duplicate] = 2, 1
	var got world
	got.size = 3
	if rest := got.unpack(w.pack(nil)); len(rest) > 0 {
		t.Errorf("%d bytes are left", len(rest))
	}
	if string(got.pack(nil)) != string(w.pack(nil)) || got.used != w.used || len(got.mail) != 4 {
		t.Errorf("%+v became %+v", w, got)
	}
}

// TestSeen adds more hashes than the first table has places.
func TestSeen(t *testing.T) {
	s := newSeen()
	for round := range 2 {
		for i := range uint64(200_000) {
			if isNew := s.add(mix(i, i) | 1); isNew != (round == 0) {
				t.Fatalf("round %d: hash %d is new: %v", round, i, isNew)
			}
		}
	}
}
