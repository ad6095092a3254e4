package tcp

import (
	"cmp"
	"context"
	"slices"

	"balsa/raft"
)

// lanes are the links to one peer.
const (
	quick = 0 // whatever is small
	bulky = 1 // snapshots, and messages longer than a MiB
	lanes = 2
)

// bulk is from how many bytes on a message is bulky. Above the bound of entries in one message: only a
// command that is large by itself is overtaken by what is sent after it.
const bulk = 1<<20 + 128<<10

// peer is another node: where it is, and the links to it. One that moves is another peer.
type peer struct {
	id      raft.NodeID
	address string
	links   [lanes]*link

	routed  context.Context // ends when the node is no longer reached there, and with Close
	dismiss context.CancelFunc
}

func (t *Transport) newPeer(id raft.NodeID, address string) *peer {
	p := &peer{id: id, address: address}
	p.routed, p.dismiss = context.WithCancel(t.running)
	for lane := range p.links {
		p.links[lane] = newLink(t, p, uint8(lane))
	}
	return p
}

// put has a message wait for the link that carries it.
func (p *peer) put(e raft.Envelope, size int) error {
	lane := quick
	if _, snapshot := e.Message.(raft.InstallSnapshot); snapshot || size > bulk {
		lane = bulky
	}
	return p.links[lane].queue.put(e, size)
}

func (t *Transport) startLinks(p *peer) {
	for _, l := range p.links {
		t.goroutines.Go(l.run)
	}
}

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
			t.startLinks(p)
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
