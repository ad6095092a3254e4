package balsa_test

import (
	"testing"
	"time"

	"balsa/raft"
)

// deaf is a node that hears nothing.
type deaf struct{}

func (deaf) Receive(raft.Envelope)     {}
func (deaf) Failed(raft.NodeID, error) {}

// What no node of this version would send is counted each time, whether the core refuses it or what stands
// before the core, and the two places that tell the number agree.
func TestMessagesRefusedAreCounted(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		leader := c.known(all3...)
		other := c.others(leader)[0]
		was := c.nodes[other].Status()
		self := raft.Identity{Cluster: was.Cluster, Node: other, Incarnation: was.Incarnation}
		self.Start = was.Start
		c.stop(other)
		impostor := c.network.Node(other)
		if err := impostor.Start(deaf{}); err != nil {
			t.Fatal(err)
		}
		defer impostor.Close()
		term := c.nodes[leader].Status().Term
		later := raft.Entry{Term: term, Index: 1, Kind: raft.Session, Command: []byte{255, 255}}
		for _, m := range []raft.Message{
			raft.AppendEntries{Term: term, Entries: []raft.Entry{later}},
			raft.AppendEntries{Term: term}, // a second leader
			raft.AppendEntries{Term: term, Entries: []raft.Entry{later, later}},
		} {
			e := raft.Envelope{From: self, To: leader, Sequence: 1000, Message: m}
			if err := impostor.Send(e); err != nil {
				t.Fatal(err)
			}
			advance(10 * time.Millisecond)
		}
		if s := c.nodes[leader].Status(); s.Stats.MessagesRefused != 3 || s.Refused != 3 {
			t.Errorf("3 messages were sent, %d were counted, or %d", s.Stats.MessagesRefused, s.Refused)
		}
	})
}
