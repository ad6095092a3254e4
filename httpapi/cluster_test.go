package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"balsa"
	"balsa/client"
	"balsa/disk"
	"balsa/kv"
	"balsa/raft"
	"balsa/transport/memory"
)

// advance lets time pass inside a synctest bubble, and everything happen that is due.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// cluster is three real nodes in memory, each with its API. It is its own http.RoundTripper: the host of a
// request is the id of a node.
type cluster struct {
	t       *testing.T
	network *memory.Network
	disks   map[raft.NodeID]*disk.Memory
	nodes   map[raft.NodeID]*balsa.Node
	dirs    map[raft.NodeID]disk.Dir
	apis    map[string]http.Handler
	stores  map[raft.NodeID]*kv.Store
	known   bool // the nodes say where clients reach them
}

func (c *cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	h, up := c.apis[r.URL.Host]
	if !up {
		return nil, fmt.Errorf("node %s is down", r.URL.Host)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.Host = "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// start opens every node on its disk, with a map that is empty: the log fills it.
func (c *cluster) start() {
	c.t.Helper()
	c.apis = map[string]http.Handler{}
	for id := range peers() {
		c.open(id)
	}
}

func peers() map[raft.NodeID]string { return map[raft.NodeID]string{1: "a:1", 2: "b:1", 3: "c:1"} }

func (c *cluster) open(id raft.NodeID) {
	c.t.Helper()
	dir, err := c.disks[id].Open()
	if err != nil {
		c.t.Fatal(err)
	}
	store := kv.New()
	config := balsa.Config{
		ID: id, Disk: dir, Peers: peers(), StateMachine: store, Transport: c.network.Node(id),
	}
	if c.known {
		config.API = "http://" + id.String()
	}
	node, err := balsa.Open(config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes[id], c.dirs[id], c.stores[id] = node, dir, store
	c.apis[id.String()] = New(Config{Node: node, Store: store, Members: &http.Client{Transport: c}})
}

func (c *cluster) stop() {
	for id, node := range c.nodes {
		if err := node.Close(); err != nil {
			c.t.Error(err)
		}
		if err := c.dirs[id].Close(); err != nil {
			c.t.Error(err)
		}
	}
}

func (c *cluster) client() *client.Client {
	speaks := client.WithHTTPClient(&http.Client{Transport: c})
	cl, err := client.New([]string{"1", "2", "3"}, speaks, client.WithPatience(time.Minute))
	if err != nil {
		c.t.Fatal(err)
	}
	return cl
}

func inCluster(t *testing.T, test func(*cluster)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, network: memory.NewNetwork(), nodes: map[raft.NodeID]*balsa.Node{},
			dirs: map[raft.NodeID]disk.Dir{}, disks: map[raft.NodeID]*disk.Memory{},
			stores: map[raft.NodeID]*kv.Store{}}
		for id := range raft.NodeID(3) {
			c.disks[id+1] = disk.NewMemory()
			for other := range raft.NodeID(3) {
				c.network.Delay(id+1, other+1, 20*time.Millisecond)
			}
		}
		c.start()
		defer c.network.Close()
		defer func() { c.stop() }()
		test(c)
	})
}

// TestThroughRealNodes: what the client writes is there, and after a restart of all nodes no read ever says
// that it is not, though every map begins empty.
func TestThroughRealNodes(t *testing.T) {
	inCluster(t, func(c *cluster) {
		cl, ctx := c.client(), c.t.Context()
		for i := range 20 {
			if put, err := cl.Put(ctx, fmt.Sprint(i), []byte("value")); err != nil || !put.Created {
				t.Fatalf("%+v, %v", put, err)
			}
		}
		if deleted, err := cl.Delete(ctx, "0"); err != nil || deleted.Deleted != 1 {
			t.Errorf("%+v, %v", deleted, err)
		}
		c.stop()
		c.start()
		answered := 0
		// Until a node leads, reads are refused at once, and that takes over a second when votes are split.
		for began := time.Now(); answered < 100 && time.Since(began) < time.Minute; {
			for _, id := range []string{"1", "2", "3"} {
				switch w := ask(c.apis[id], "GET /v1/kv/7?timeout=100ms", ""); w.Code {
				case 200:
					answered++
				case 404:
					t.Fatal("a read found nothing where a value was acknowledged")
				}
			}
			advance(10 * time.Millisecond)
		}
		item, err := cl.Get(ctx, "19")
		if err != nil || string(item.Value) != "value" || answered < 100 {
			t.Errorf("%+v, %v, %d reads answered", item, err, answered)
		}
	})
}

// TestSubmitAtEveryNode: the leader answers with the result, each follower with the leader's id.
func TestSubmitAtEveryNode(t *testing.T) {
	inCluster(t, func(c *cluster) {
		advance(2 * time.Second)
		leader := c.nodes[1].Status().Leader
		for id := range raft.NodeID(3) {
			const set = `{"command":"SET greeting hello world"}`
			w := ask(c.apis[(id+1).String()], "POST /client/submit", set)
			want := fmt.Sprintf(`{"error":"node %v: not the leader; the command was not applied; `+
				`node %v leads","leader_hint":%v}`, id+1, leader, leader)
			if id+1 == leader {
				want = `{"result":"OK"}`
			}
			if got := w.Body.String(); got != want+"\n" || (w.Code == 200) != (id+1 == leader) {
				t.Errorf("node %v: %d %s, want %s", id+1, w.Code, got, want)
			}
		}
		advance(time.Second)
		for id, api := range c.apis { // every node applies
			w := ask(api, "GET /client/kv", "")
			if w.Body.String() != `{"greeting":"hello world"}`+"\n" {
				t.Errorf("node %s holds %s", id, w.Body)
			}
		}
	})
}
