package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"balsa"
	"balsa/client"
	"balsa/disk"
	"balsa/kv"
	"balsa/raft"
	"balsa/transport/memory"
)

// The API in front of whole nodes: three of them, on a network in memory, each behind a server of its own.

type member struct {
	*balsa.Node
	url string
}

func openCluster(t *testing.T) map[raft.NodeID]*member {
	network := memory.NewNetwork()
	t.Cleanup(network.Close)
	members := map[raft.NodeID]*member{}
	for id := raft.NodeID(1); id <= 3; id++ {
		members[id] = openMember(t, network, id)
	}
	return members
}

func openMember(t *testing.T, network *memory.Network, id raft.NodeID) *member {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	dir, err := disk.NewMemory().Open()
	if err != nil {
		t.Fatal(err)
	}
	store, url := kv.New(), "http://"+s.Listener.Addr().String()
	node, err := balsa.Open(balsa.Config{
		ID: id, Disk: dir, Peers: map[raft.NodeID]string{1: "one:1", 2: "two:1", 3: "three:1"},
		StateMachine: store, Transport: network.Node(id), API: url, SegmentBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Handler = New(Config{Node: node, Store: store})
	s.Start()
	t.Cleanup(func() {
		_ = node.Close()
		s.Close()
	})
	return &member{Node: node, url: url}
}

// leaderOf waits until every node knows the leader.
func leaderOf(t *testing.T, members map[raft.NodeID]*member) (leader raft.NodeID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, m := range members {
		id, err := m.AwaitLeader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		leader = id
	}
	return leader
}

func do(t *testing.T, method, url, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r) // follows redirects, as curl -L does
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

// TestEveryNodeServes: what is written at one node is read at every other, at once, and the headers say who
// served it.
func TestEveryNodeServes(t *testing.T) {
	members := openCluster(t)
	leader := leaderOf(t, members)
	for at, writer := range members {
		value := "written at " + at.String()
		put, body := do(t, "PUT", writer.url+"/v1/kv/k", value)
		if put.StatusCode >= 300 {
			t.Fatalf("PUT at node %v: %d %s", at, put.StatusCode, body)
		}
		revision := put.Header.Get(client.HeaderRevision)
		for by, reader := range members {
			for _, query := range []string{"", "?consistency=leader", "?stale&min_revision=" + revision} {
				get, body := do(t, "GET", reader.url+"/v1/kv/k"+query, "")
				if get.StatusCode != 200 || body != value {
					t.Errorf("GET%s at node %v: %d %s, want %s", query, by, get.StatusCode, body, value)
				}
				holdHeaders(t, query, get.Header, []string{"Balsa-Served-By: " + by.String(),
					"Balsa-Leader: " + leader.String(), "Balsa-Revision: " + revision})
			}
		}
	}
}

// TestARedirectIsFollowedWithItsBody, and ends at the leader.
func TestARedirectIsFollowedWithItsBody(t *testing.T) {
	members := openCluster(t)
	leader := leaderOf(t, members)
	for at, m := range members {
		key := "/v1/kv/a//" + at.String()
		put, body := do(t, "PUT", m.url+key+"?redirect", "sent on")
		if put.StatusCode != 201 || put.Header.Get(client.HeaderServedBy) != leader.String() {
			t.Errorf("PUT at node %v: %d %s, served by %s", at, put.StatusCode, body,
				put.Header.Get(client.HeaderServedBy))
		}
		get, body := do(t, "GET", m.url+key+"?redirect", "")
		if body != "sent on" || get.Header.Get(client.HeaderServedBy) != leader.String() {
			t.Errorf("GET at node %v: %d %s", at, get.StatusCode, body)
		}
	}
}

// TestTheClientOutlivesALeader: a write that was not taken goes elsewhere, and no read falls behind the
// client's own writes.
func TestTheClientOutlivesALeader(t *testing.T) {
	members := openCluster(t)
	leader := leaderOf(t, members)
	var endpoints []string
	for _, m := range members {
		endpoints = append(endpoints, m.url)
	}
	c, err := client.New(endpoints, client.WithOwnWrites())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 20 {
		if i == 10 {
			if err := members[leader].Close(); err != nil {
				t.Fatal(err)
			}
		}
		value := strconv.Itoa(i)
		_, err := c.Put(t.Context(), "k", []byte(value))
		for errors.Is(err, client.ErrOutcomeUnknown) { // to write the same once more harms nobody here
			_, err = c.Put(t.Context(), "k", []byte(value))
		}
		if err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		for _, options := range [][]client.ReadOption{
			nil, {client.Leased()}, {client.FromLeader()}, {client.Stale(0)},
		} {
			if item, err := c.Get(t.Context(), "k", options...); err != nil || string(item.Value) != value {
				t.Errorf("read %d: %q, %v", i, item.Value, err)
			}
		}
	}
}

// TestTheStatusOfARealNode names the addresses of all and counts what was done.
func TestTheStatusOfARealNode(t *testing.T) {
	members := openCluster(t)
	leader := leaderOf(t, members)
	do(t, "PUT", members[leader].url+"/v1/kv/k", "v")
	c, err := client.New([]string{members[leader].url})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Status(t.Context(), members[leader].url)
	if err != nil || s.API != members[leader].url || s.ContactMS < 0 || s.Stats.ProposalsTaken != 1 ||
		s.Stats.TermsLed != 1 || len(s.Peers) != 2 {
		t.Errorf("%v, %+v", err, s)
	}
	heard := 0
	for _, p := range s.Peers { // of both only if both have answered yet; one must have, for the commit
		if p.API == members[raft.NodeID(p.ID)].url {
			heard++
		}
	}
	if heard == 0 {
		t.Errorf("no peer's address is known: %+v", s.Peers)
	}
}
