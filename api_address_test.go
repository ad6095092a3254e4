package balsa_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/raft"
)

// TestErrorsAndStatusNameTheLeadersAPI: each node learns from the messages of the others where clients reach
// them.
func TestErrorsAndStatusNameTheLeadersAPI(t *testing.T) {
	api := func(id raft.NodeID) string { return fmt.Sprintf("http://127.0.0.1:800%d", id) }
	inBubble(t, 3, func(c *cluster) {
		for id := range c.peers {
			if err := c.tryOpen(id, func(config *balsa.Config) { config.API = api(id) }); err != nil {
				t.Fatal(err)
			}
		}
		leader := c.known(all3...)
		advance(time.Second) // the leader has heard everybody
		for _, id := range all3 {
			s := c.nodes[id].Status()
			if s.API != api(id) || s.APIOf(leader) != api(leader) || s.APIOf(9) != "" {
				t.Errorf("node %d says %q of itself and %q of the leader", id, s.API, s.APIOf(leader))
			}
			if id == leader &&
				(s.Peers[0].API != api(s.Peers[0].ID) || s.Peers[1].API != api(s.Peers[1].ID)) {
				t.Errorf("the leader's peers are %+v", s.Peers)
			}
		}
		_, err := c.nodes[c.others(leader)[0]].ProposeLocal(c.t.Context(), []byte("x"))
		if e := c.kind(err, balsa.ErrNotLeader, balsa.NotApplied); e.API != api(leader) {
			t.Errorf("the error names %q", e.API)
		}
	})
}

func TestAnAPIAddressThatIsNoneIsRefused(t *testing.T) {
	inBubble(t, 1, func(c *cluster) {
		for _, bad := range []string{"127.0.0.1:8001", "http://", "http://a/", "http://a?b", "ftp://a",
			"http://u@a", "http://a b", "http://a\r\nX: y", "http://" + strings.Repeat("a", 250)} {
			err := c.tryOpen(1, func(config *balsa.Config) { config.API = bad })
			if err == nil || !strings.Contains(err.Error(), "Config.API") {
				t.Errorf("%q: %v", bad, err)
			}
		}
	})
}
