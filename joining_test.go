package balsa_test

import (
	"testing"

	"balsa"
	"balsa/raft"
)

// That a node asks to be added outlives a power cut, and that it was in vain does so too.
func TestANodeRemembersThatItAskedToJoin(t *testing.T) {
	inCluster(t, 1, func(c *cluster) {
		cluster := c.nodes[c.leader()].Status().Cluster
		c.join(4)
		for _, asked := range []bool{false, true, true, false, false} {
			if err := c.nodes[4].NoteAskedToJoin(asked); err != nil {
				t.Fatal(err)
			}
			c.crash(4)
			if err := c.tryOpen(4, joins(raft.ClusterID{}, 4)); err != nil {
				t.Fatal(err)
			}
			if got, err := c.nodes[4].AskedToJoin(); err != nil || got != asked {
				t.Errorf("%v after %v was noted: %v", got, asked, err)
			}
			if s := c.nodes[4].Status(); s.Cluster != cluster || s.Standing != balsa.Outsider {
				t.Errorf("%+v", s)
			}
		}
	})
}
