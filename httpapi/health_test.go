package httpapi

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"balsa"
	"balsa/raft"
)

func TestStatus(t *testing.T) {
	const stats = `"stats":{"elections":1,"terms_led":2,"leader_changes":3,"proposals_taken":4,` +
		`"proposals_refused":5,"reads_confirmed":6,"read_rounds":7,"entries_appended":8,` +
		`"entries_truncated":9,"writes":10,"entries_written":11,"applies":12,"entries_applied":13,` +
		`"snapshots_taken":14,"snapshots_failed":15,"snapshots_installed":16,` +
		`"messages_sent":17,"messages_received":18,"messages_lost":19,"messages_refused":20}`
	n, h := newNode(t)
	ask(h, "PUT /v1/kv/k", "v")
	n.set(func(n *fakeNode) {
		n.status.Incarnation, n.status.Start, n.status.Contact = 0xbeef, 3, 1999*time.Microsecond
		n.status.Address = "127.0.0.1:7002"
		n.status.Membership = balsa.Membership{Configuration: 4, Joint: true, Version: 1, AutoPromote: true,
			Standing: balsa.Joining, TransferTo: 3}
		n.status.Peers = []balsa.Peer{
			{ID: 1, Address: "127.0.0.1:7001", API: "http://one:8001", Match: 5, Next: 6,
				Standing: balsa.Voter},
			{ID: 3, Standing: balsa.Learner, Installing: true, Offset: 5, Size: 6},
		}
		n.status.LogExtent = balsa.LogExtent{First: 2, LogLength: 4, LogBytes: 99,
			Snapshot: raft.EntryID{Term: 6, Index: 3}, LastSnapshot: balsa.LastSnapshot{Index: 3, Size: 1000,
				At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 1999 * time.Microsecond}}
		stats := reflect.ValueOf(&n.status.Stats).Elem()
		for i := range stats.NumField() {
			stats.Field(i).SetUint(uint64(i) + 1)
		}
		n.status.Err = errors.New("disk broke\nstack")
	})
	expect(t, h, "GET /v1/status", "", 200, `{"id":2,"cluster":"ab0000000000000000000000000000cd",`+
		`"incarnation":"beef","start":3,"address":"127.0.0.1:7002","api":"http://two:8002","role":"leader",`+
		`"term":7,"leader":2,"contact_ms":1,`+
		`"commit":5,"applied":5,"durable":4,"last":{"term":7,"index":5},`+
		`"first":2,"entries":4,"log_bytes":99,"snapshot":{"term":6,"index":3},`+
		`"last_snapshot":{"index":3,"size":1000,"at":"2026-01-02T03:04:05Z","took_ms":1},`+
		`"keys":1,"revision":5,`+
		`"configuration":4,"joint":true,"version":1,"auto_promote":true,"lease_drift":0,"lease_time_ms":0,`+
		`"standing":"joining",`+
		`"transfer_to":3,"peers":[{"id":1,"address":"127.0.0.1:7001","api":"http://one:8001",`+
		`"standing":"voter","match":5,"next":6},{"id":3,"address":"","api":"",`+
		`"standing":"learner","match":0,"next":0,`+
		`"installing":{"offset":5,"size":6}}],`+
		stats+`,"stopped":"disk broke"}`,
		"Balsa-Revision: 5")
	n, h = newNode(t)
	n.set(func(n *fakeNode) { n.status.Peers, n.status.API, n.status.Contact = nil, "", -1 })
	w := ask(h, "GET /v1/status", "")
	if body := w.Body.String(); !strings.Contains(body, `"peers":[],"stats":{`) ||
		!strings.Contains(body, `"contact_ms":-1,`) || strings.Contains(body, "stopped") ||
		strings.Contains(body, "installing") || strings.Contains(body, "last_snapshot") {
		t.Errorf("the status of a node that knows nobody: %s", body)
	}
}

func TestHealth(t *testing.T) {
	n, h := newNode(t)
	ok := `{"status":"ok","node":2}`
	verbose := `{"status":"ok","node":2,"checks":[{"name":"loop","ok":true}`
	for _, path := range []string{"/livez", "/readyz", "/health"} {
		expect(t, h, "GET "+path, "", 200, ok)
	}
	expect(t, h, "GET /livez?verbose", "", 200, verbose+`]}`)
	expect(t, h, "GET /readyz?verbose", "", 200,
		verbose+`,{"name":"leader","ok":true},{"name":"heard","ok":true},{"name":"applied","ok":true},`+
			`{"name":"repair","ok":true}]}`)

	n.set(func(n *fakeNode) { n.status.Role, n.status.Leader = raft.Candidate, raft.None })
	expect(t, h, "GET /livez", "", 200, ok) // without a quorum a node is alive
	lost := `{"status":"failed","node":2,"checks":[{"name":"loop","ok":true},{"name":"leader","ok":false,` +
		`"reason":"no leader is known: an election is on, or a majority is out of reach"},` +
		`{"name":"heard","ok":true},{"name":"applied","ok":true},{"name":"repair","ok":true}]}`
	expect(t, h, "GET /readyz", "", 503, lost)
	expect(t, h, "GET /health", "", 503, lost)

	n.set(func(n *fakeNode) { n.status.Leader, n.status.Commit = 1, 1004 })
	expect(t, h, "GET /readyz", "", 200, ok)
	n.set(func(n *fakeNode) { n.status.Commit = 1005 })
	expect(t, h, "GET /readyz", "", 503, `{"status":"failed","node":2,"checks":[{"name":"loop","ok":true},`+
		`{"name":"leader","ok":true},{"name":"heard","ok":true},{"name":"applied","ok":false,`+
		`"reason":"1001 committed entries are not applied yet"},`+
		`{"name":"repair","ok":true}]}`)
	expect(t, h, "GET /livez", "", 200, ok)
}

// A node that hears its leader and is not heard by it is not ready: its disk was wiped, say.
func TestANodeThatIsNotListenedToIsNotReady(t *testing.T) {
	n, h := newNode(t)
	for _, test := range []struct {
		by   []raft.NodeID
		want int
	}{{nil, 200}, {[]raft.NodeID{1}, 503}, {[]raft.NodeID{3}, 200}, {[]raft.NodeID{3, 4}, 200},
		{[]raft.NodeID{3, 4, 5}, 503}} {
		n.set(func(n *fakeNode) {
			n.status.Role, n.status.Leader, n.status.Peers = raft.Follower, 1, nil
			for _, id := range []raft.NodeID{1, 3, 4, 5} {
				p := balsa.Peer{ID: id}
				if slices.Contains(test.by, id) {
					p.Shuns = raft.OtherIncarnation
				}
				n.status.Peers = append(n.status.Peers, p)
			}
		})
		w := ask(h, "GET /readyz", "")
		if w.Code != test.want ||
			w.Code != 200 && !strings.Contains(w.Body.String(), "old data directory back") {
			t.Errorf("shunned by %v: %d %s", test.by, w.Code, w.Body)
		}
		expect(t, h, "GET /livez", "", 200, `{"status":"ok","node":2}`)
	}
}

func TestHealthOfANodeThatHasEnded(t *testing.T) {
	n, h := newNode(t)
	close(n.ended)
	failed := func(reason string) string {
		return `{"status":"failed","node":2,"checks":[{"name":"loop","ok":false,"reason":"` + reason + `"}]}`
	}
	expect(t, h, "GET /livez", "", 503, failed("the node was closed"))
	n.set(func(n *fakeNode) { n.status.Err = errors.New("disk broke\nstack") })
	expect(t, h, "GET /livez", "", 503, failed("the node stopped: disk broke"))
	expect(t, h, "GET /readyz", "", 503, failed("the node stopped: disk broke"))
}

// TestStuckLoop: a node whose loop hangs is told from one that works, nobody hangs with it, and however
// many ask, one question waits.
func TestStuckLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, h := newNode(t)
		ask(h, "GET /v1/status", "") // it is known from then on
		n.stuck = make(chan struct{})
		failed := `{"status":"failed","node":2,"checks":[{"name":"loop","ok":false,` +
			`"reason":"the node's loop does not answer"}]}`
		expect(t, h, "GET /livez", "", 503, failed, "Balsa-Served-By: 2")
		expect(t, h, "GET /readyz", "", 503, failed)
		stuck := failure("not_ready", "the node's loop does not answer", "not_applied", two, 7,
			`,"retry_after_ms":1000`)
		expect(t, h, "GET /v1/kv/k?timeout=1s", "", 503, stuck, "Retry-After: 1")
		expect(t, h, "PUT /v1/kv/k?timeout=1s", "v", 503, stuck)
		n.set(func(n *fakeNode) {
			if n.asked != 2 {
				t.Errorf("%d questions wait", n.asked-1)
			}
		})
		close(n.stuck)
		synctest.Wait()
		expect(t, h, "GET /livez", "", 200, `{"status":"ok","node":2}`)
	})
}
