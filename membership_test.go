package balsa_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/wal"
)

// join starts a node with an empty disk that joins the cluster, and returns it as a member to add.
func (c *cluster) join(id raft.NodeID) raft.Member {
	c.t.Helper()
	cluster := raft.ClusterID{}
	for _, n := range c.nodes {
		cluster = n.Status().Cluster
	}
	c.disks[id] = disk.NewMemory()
	if err := c.tryOpen(id, joins(cluster, id)); err != nil {
		c.t.Fatalf("open node %d: %v", id, err)
	}
	self := c.nodes[id].Identity()
	return raft.Member{ID: id, Incarnation: self.Incarnation, Address: self.Address, API: self.API}
}

func joins(cluster raft.ClusterID, id raft.NodeID) func(*balsa.Config) {
	return func(config *balsa.Config) {
		config.Peers, config.Joins, config.Advertise = nil, cluster, fmt.Sprintf("node%d:1", id)
	}
}

// alter changes the members at whoever leads, as a caller does that follows hints and tries again.
func (c *cluster) alter(change raft.Change) raft.Index {
	c.t.Helper()
	index, err := c.tryAlter(change)
	if err != nil {
		c.t.Fatalf("change %+v: %v\n%s", change, err, c.logged())
	}
	return index
}

func (c *cluster) tryAlter(change raft.Change) (index raft.Index, err error) {
	for range 500 {
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		index, err = c.nodes[c.leader()].ChangeMembership(ctx, change)
		cancel()
		if !errors.Is(err, balsa.ErrConfigChangeInProgress) && !errors.Is(err, balsa.ErrNotLeader) {
			return index, err
		}
		advance(20 * time.Millisecond)
	}
	return index, err
}

// voters waits until every running node knows exactly these voters, and that no change is under way.
func (c *cluster) voters(want ...raft.NodeID) {
	c.t.Helper()
	c.within(10*time.Second, fmt.Sprintf("voters %v", want), func() bool {
		for _, n := range c.nodes {
			m, _ := n.Members()
			if !slices.Equal(m.Voters, want) || m.Joint() {
				return false
			}
		}
		return true
	})
}

// named waits until the leader has named all incarnations, before which nothing else is changed.
func (c *cluster) named() {
	c.t.Helper()
	c.within(10*time.Second, "every incarnation is named", func() bool {
		m, _ := c.nodes[c.leader()].Members()
		return m.Version > 0 && !slices.ContainsFunc(m.Members,
			func(m raft.Member) bool { return m.Incarnation == 0 })
	})
}

// A node that joins learns from the log who the members are, gets all of it, and its vote.
func TestANodeJoinsAndIsPromoted(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.named()
		c.mustPropose(c.leader(), "before")
		member := c.join(4)
		s := c.nodes[4].Status()
		if s.Standing != balsa.Outsider || len(s.Peers) > 0 || s.Address != "node4:1" {
			t.Errorf("before it is added: %+v", s.Membership)
		}
		index := c.alter(raft.Change{Add: []raft.Member{member}})
		c.applied([]string{"before"}, 4)
		s = c.nodes[4].Status()
		if s.Standing != balsa.Learner || s.Configuration != index || len(s.Peers) != 3 {
			t.Errorf("once it is added: %+v", s.Membership)
		}
		for _, p := range c.nodes[c.leader()].Status().Peers {
			want := map[bool]balsa.Standing{true: balsa.Learner, false: balsa.Voter}[p.ID == 4]
			if p.Lag != 0 || p.Contact < 0 || p.Standing != want || p.Incarnation == 0 {
				t.Errorf("the leader sees %+v", p)
			}
		}
		c.alter(raft.Change{Promote: []raft.NodeID{4}})
		c.voters(1, 2, 3, 4)
		c.mustPropose(4, "by the new one")
		c.applied([]string{"before", "by the new one"}, all4...)
		// It comes back from its own log, told nothing, and with what it was founded with.
		for _, change := range []func(*balsa.Config){
			joins(s.Cluster, 4), func(config *balsa.Config) { joins(raft.ClusterID{}, 4)(config) },
		} {
			c.stop(4)
			if err := c.tryOpen(4, change); err != nil {
				t.Fatal(err)
			}
			c.known(all4...)
			c.mustPropose(4, "again")
		}
		c.stop(4)
		err := c.tryOpen(4, func(config *balsa.Config) {
			config.Peers = map[raft.NodeID]string{1: "node1:1", 4: "node4:1"}
		})
		if !errors.Is(err, wal.ErrForeign) {
			t.Errorf("with peers: %v", err)
		}
	})
}

// A joiner keeps what it was founded with when it ends before it was added.
func TestAJoinerMayEndBeforeItIsAdded(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.named()
		member := c.join(4)
		c.stop(4)
		if err := c.tryOpen(4, joins(raft.ClusterID{}, 4)); err != nil {
			t.Fatal(err)
		}
		if again := c.nodes[4].Identity(); again.Incarnation != member.Incarnation {
			t.Errorf("%x became %x", member.Incarnation, again.Incarnation)
		}
		c.alter(raft.Change{Add: []raft.Member{member}})
		c.within(5*time.Second, "node 4 is told", func() bool {
			return c.nodes[4].Status().Standing == balsa.Learner
		})
	})
}

// A leader that is removed leads the change to its end, hands over, and disturbs nobody afterwards.
func TestTheLeaderIsRemoved(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.named()
		leader := c.leader()
		others := c.others(leader)
		c.alter(raft.Change{Remove: []raft.NodeID{leader}})
		c.within(2*time.Second, "another leads", func() bool {
			s := c.nodes[others[0]].Status()
			return s.Leader != raft.None && s.Leader != leader
		})
		next := c.leader(others...)
		term := c.nodes[next].Status().Term
		advance(10 * time.Second)
		if s := c.nodes[next].Status(); s.Term != term || s.Role != raft.Leader {
			t.Errorf("node %v led term %v, and is %v in term %v now", next, term, s.Role, s.Term)
		}
		if s := c.nodes[leader].Status(); s.Standing != balsa.Outsider {
			t.Errorf("the removed node takes itself for a %v", s.Standing)
		}
		if told := strings.Count(c.logged(), "Is no member of the cluster any more"); told != 1 {
			t.Errorf("that it was removed is told %d times", told)
		}
		for _, p := range c.nodes[next].Status().Peers {
			if p.ID == leader {
				t.Errorf("it is seen as %+v", p)
			}
		}
		c.mustPropose(next, "without it")
		c.applied([]string{"without it"}, others...)
		if _, err := c.propose(leader, "by who left"); err == nil {
			t.Error("the removed node still takes commands")
		}
	})
}

// A wiped node is refused as long as its old directory is meant, and told which command to run; it is
// replaced by two changes under the same id.
func TestAWipedNodeIsReplaced(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.named()
		wiped := c.others(c.leader())[0]
		c.mustPropose(c.leader(), "one")
		c.crash(wiped)
		c.disks[wiped] = disk.NewMemory()
		c.open(wiped) // with its old command line
		advance(5 * time.Second)
		if s := c.nodes[wiped].Status(); s.Commit > 0 || s.Applied > 0 {
			t.Errorf("the wiped node takes part: %+v", s)
		}
		if want := fmt.Sprintf("balsa member replace %v", wiped); !strings.Contains(c.logged(), want) {
			t.Errorf("no log says %q", want)
		}
		c.stop(wiped)
		c.alter(raft.Change{Remove: []raft.NodeID{wiped}})
		member := c.join(wiped)
		c.alter(raft.Change{Add: []raft.Member{member}})
		c.within(5*time.Second, "it has caught up", func() bool {
			return slices.Contains(c.machines[wiped].applied(), "one")
		})
		c.alter(raft.Change{Promote: []raft.NodeID{wiped}})
		c.voters(all3...)
		c.crash(c.others(wiped)[0]) // its vote is needed
		c.mustPropose(c.leader(), "two")
	})
}

// Each hands over to the next under writes: none is lost, and none fails but those that were not applied.
func TestLeadershipIsHandedOverUnderWrites(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.named()
		c.known(all3...)
		stop, done := make(chan struct{}), make(chan int)
		go func() { done <- c.write(stop) }()
		for range 5 {
			from := c.leader()
			to := c.others(from)[0]
			ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
			leader, err := c.nodes[from].TransferLeadership(ctx, to)
			cancel()
			if err != nil || leader != to {
				t.Errorf("from %v to %v: %v leads (%v)", from, to, leader, err)
			}
			_, err = c.nodes[from].TransferLeadership(c.t.Context(), from)
			if e := c.kind(err, balsa.ErrNotLeader, balsa.NotApplied); e.Leader != to {
				t.Errorf("node %v sends to %v, %v leads", from, e.Leader, to)
			}
			advance(200 * time.Millisecond)
		}
		close(stop)
		written := <-done
		leader := c.leader()
		if n, err := c.nodes[leader].TransferLeadership(c.t.Context(), leader); n != leader || err != nil {
			t.Errorf("to itself: %v (%v)", n, err)
		}
		_, err := c.nodes[leader].TransferLeadership(c.t.Context(), 99)
		c.kind(err, balsa.ErrNoTarget, balsa.NotApplied)
		if len(c.machines[leader].applied()) != written || written < 100 {
			t.Errorf("%d were acknowledged, %d applied", written, len(c.machines[leader].applied()))
		}
	})
}

// write proposes one command after the other, each until it is acknowledged, and returns how many were.
func (c *cluster) write(stop chan struct{}) (written int) {
	for {
		select {
		case <-stop:
			return written
		default:
		}
		_, err := c.nodes[1].Propose(c.t.Context(), fmt.Appendf(nil, "%d", written))
		if e := (*balsa.Error)(nil); errors.As(err, &e) {
			if e.Outcome != balsa.NotApplied {
				c.t.Errorf("write %d: %v", written, err)
			}
		} else {
			written++
		}
		<-time.After(time.Millisecond)
	}
}

var all4 = []raft.NodeID{1, 2, 3, 4}
