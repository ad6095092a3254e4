package httpapi

import (
	"errors"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/client"
	"balsa/disk"
	"balsa/kv"
	"balsa/raft"
)

// join opens a node on an empty disk that joins the cluster, and returns what it is to be added as.
func (c *cluster) join(id raft.NodeID, named raft.ClusterID) client.NewMember {
	c.t.Helper()
	c.disks[id] = disk.NewMemory()
	dir, err := c.disks[id].Open()
	if err != nil {
		c.t.Fatal(err)
	}
	store, api := kv.New(), "http://"+id.String()
	node, err := balsa.Open(balsa.Config{ID: id, Disk: dir, Joins: named, StateMachine: store, API: api,
		Transport: c.network.Node(id)})
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes[id], c.dirs[id], c.stores[id] = node, dir, store
	c.apis[id.String()] = New(Config{Node: node, Store: store})
	status, err := c.client().Status(c.t.Context(), api)
	if err != nil {
		c.t.Fatal(err)
	}
	return client.NewMember{ID: status.ID, Incarnation: status.Incarnation, Address: "joined:1", API: api}
}

func (c *cluster) shutDown(id raft.NodeID) {
	c.t.Helper()
	if err := errors.Join(c.nodes[id].Close(), c.dirs[id].Close()); err != nil {
		c.t.Error(err)
	}
	delete(c.nodes, id)
	delete(c.apis, id.String())
}

// TestMembersComeAndGo: every change through the client, which knows three nodes and nothing of who leads.
func TestMembersComeAndGo(t *testing.T) {
	inKnownCluster(t, func(c *cluster, cl *client.Client) {
		t, ctx := c.t, c.t.Context()
		advance(5 * time.Second)
		if _, err := cl.Put(ctx, "k", []byte("v")); err != nil {
			t.Fatal(err)
		}
		four := c.join(4, c.nodes[1].Identity().Cluster)
		on := true
		four.AutoPromote = &on
		first, err := cl.AddMember(ctx, four)
		if err != nil {
			t.Fatal(err)
		}
		again, err := cl.AddMember(ctx, four)
		if err != nil || again < first {
			t.Errorf("added again: %d, %v; the first time %d", again, err, first)
		}
		other := four
		other.Incarnation = "1"
		if _, err := cl.AddMember(ctx, other); !hasCode(err, client.CodeMemberExists) {
			t.Errorf("another directory under that id: %v", err)
		}
		advance(5 * time.Second)
		c.expectRoles("1 voter, 2 voter, 3 voter, 4 voter")
		if item, err := cl.Get(ctx, "k"); err != nil || string(item.Value) != "v" {
			t.Errorf("%s, %v", item.Value, err)
		}
		if _, err := cl.DemoteMember(ctx, 4); !hasCode(err, client.CodeWouldBePromoted) {
			t.Errorf("demoted, to be promoted again: %v", err)
		}
		if _, err := cl.DemoteMember(ctx, 4, client.WithAutoPromote(false)); err != nil {
			t.Error(err)
		}
		c.expectRoles("1 voter, 2 voter, 3 voter, 4 learner")
		leader, err := cl.TransferLeadership(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cl.RemoveMember(ctx, leader); err != nil {
			t.Fatalf("the leader, %d, could not be removed: %v", leader, err)
		}
		advance(5 * time.Second)
		if _, err := cl.PromoteMember(ctx, 4); err != nil {
			t.Error(err)
		}
		if _, err := cl.RemoveMember(ctx, leader); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("removed twice: %v", err)
		}
		rest := []uint64{1, 2, 3, 4}
		rest = append(rest[:leader-1], rest[leader:]...)
		if _, err := cl.SetVoters(ctx, rest[1:], rest[:1]); err != nil {
			t.Error(err)
		}
		now, err := cl.Cluster(ctx)
		if err != nil || len(now.Members) != 3 || now.Members[0].Role != client.RoleLearner ||
			!now.Settled() {
			t.Errorf("%+v, %v", now, err)
		}
		if _, err := cl.Put(ctx, "k", []byte("w")); err != nil {
			t.Error(err)
		}
	})
}

func hasCode(err error, code client.Code) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == code
}

func (c *cluster) expectRoles(want string) {
	c.t.Helper()
	now, err := c.client().Cluster(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	var roles []string
	for _, m := range now.Members {
		roles = append(roles, raft.NodeID(m.ID).String()+" "+m.Role)
	}
	if got := strings.Join(roles, ", "); got != want {
		c.t.Errorf("the members are %s, want %s", got, want)
	}
}

// TestAddressesComeFromTheConfiguration: a node that was restarted, and has not heard anybody since, knows
// where clients reach the others.
func TestAddressesComeFromTheConfiguration(t *testing.T) {
	inKnownCluster(t, func(c *cluster, _ *client.Client) {
		t := c.t
		advance(10 * time.Second) // the leader has heard all of them, and had the configuration say so
		c.shutDown(3)
		for _, other := range []raft.NodeID{1, 2} {
			c.network.Cut(other, 3)
			c.network.Cut(3, other)
		}
		c.open(3)
		advance(time.Second)
		now, err := c.client().ClusterAt(t.Context(), "3")
		if err != nil || now.Leader != 0 || now.Node != 3 {
			t.Fatalf("%+v, %v", now, err)
		}
		for _, m := range now.Members {
			if want := "http://" + raft.NodeID(m.ID).String(); m.API != want {
				t.Errorf("node %d is said to be at %q, want %s", m.ID, m.API, want)
			}
		}
		_, err = c.client().Cluster(t.Context())
		if err != nil {
			t.Errorf("the others lead: %v", err)
		}
	})
}
