package httpjson

import (
	"cmp"
	"slices"

	"balsa/raft"
)

// Route implements transport.Transport. Config.Dial goes before the addresses that it names.
func (t *Transport) Route(peers map[raft.NodeID]string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.phase == closed {
		return
	}
	var routed []*peer // a slice of its own: Send reads the one before without the mutex
	for id, address := range peers {
		if id == t.config.Self.Node {
			continue
		}
		if override, ok := t.config.Dial[id]; ok {
			address = override
		}
		if at, known := find(t.peers, id); known && t.peers[at].address == address {
			routed = append(routed, t.peers[at])
			continue
		}
		p := t.newPeer(id, address)
		if t.phase == started {
			t.startWorkers(p)
		}
		routed = append(routed, p)
	}
	slices.SortFunc(routed, func(a, b *peer) int { return cmp.Compare(a.id, b.id) })
	for _, p := range t.peers {
		if !slices.Contains(routed, p) {
			p.dismiss()
		}
	}
	t.peers = routed
}

// find returns where a node stands among peers, which are sorted by id.
func find(peers []*peer, id raft.NodeID) (at int, known bool) {
	return slices.BinarySearchFunc(peers, id,
		func(p *peer, id raft.NodeID) int { return cmp.Compare(p.id, id) })
}
