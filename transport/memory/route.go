package memory

import (
	"slices"

	"balsa/raft"
)

// reach returns where a server's message goes; an empty address is wherever its receiver is. A response goes
// back the way its request came, also to a server that is not routed to.
func (f *fabric) reach(from *node, e raft.Envelope) (address string, known bool) {
	if answers(e) {
		return "", true
	}
	if from.routes == nil {
		_, known = slices.BinarySearch(f.known, e.To)
		return "", known
	}
	address, known = from.routes[e.To]
	return address, known
}

// answers reports whether a message is the response to a request.
func answers(e raft.Envelope) bool { return raft.IsResponse(e.Message) && e.Sequence != 0 }

// route changes whom a server reaches and loses what is on its way to those who are not among them any more,
// or not there.
func (f *fabric) route(n *node, routes map[raft.NodeID]string) {
	n.routes = routes
	if f.node(n.id) != n {
		return // it does not run: what is on its way, if anything, is its successor's
	}
	for _, l := range f.links {
		address, routed := routes[l.to]
		if l.from != n.id {
			continue
		}
		l.queue = slices.DeleteFunc(l.queue, func(p parcel) bool {
			return !answers(p.envelope) && (!routed || p.address != "" && p.address != address)
		})
	}
}
