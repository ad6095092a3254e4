package httpapi

import (
	"net/http/httptest"
	"testing"

	"balsa"
)

// A page whose own name points at this machine must not speak to the node as if it were of the same origin.
// The node advertises http://two:8002.
func TestOnlyKnownHostsAreServed(t *testing.T) {
	n, h := newNode(t)
	n.set(func(n *fakeNode) { n.status.Peers = []balsa.Peer{} })
	for host, want := range map[string]int{
		"127.0.0.1:8002": 200, "[::1]:8002": 200, "192.0.2.7": 200, "localhost:8002": 200, "LOCALHOST": 200,
		"two:8002": 200, "two:9": 200, "TWO": 200, "": 200,
		"evil.example": 403, "evil.example:8002": 403, "127.0.0.1.evil.example": 403,
		"localhost.evil.example:80": 403,
	} {
		for _, method := range []string{"GET", "PUT"} {
			r := httptest.NewRequest(method, "/v1/kv/k", nil)
			r.Host = host
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if forbidden := w.Code == 403; forbidden != (want == 403) {
				t.Errorf("%s for %q: %d %s", method, host, w.Code, w.Body)
			}
		}
	}
}
