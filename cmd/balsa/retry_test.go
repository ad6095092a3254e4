package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"balsa/client"
)

// A write of the command line whose answer is lost is sent again under the same key, and the next write has
// another.
func TestWritesAreSentAgainUnderTheirKey(t *testing.T) {
	var mu sync.Mutex
	var keys []string
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, r.Header.Get(client.HeaderIdempotencyKey))
		if len(keys)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set(client.HeaderServedBy, "1")
		fmt.Fprint(w, `{"created":true,"deleted":1,"value":1,"revision":5}`)
	}))
	defer node.Close()
	for _, line := range [][]string{
		{"put", "k", "v"}, {"put", "k", "v", "--ttl", "1s"}, {"del", "k"}, {"incr", "k"},
	} {
		if got := command(t, "", append(line, "--endpoints", node.URL)...); got.status != exitOK {
			t.Errorf("%v: %+v", line, got)
		}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(keys); i += 2 {
		if keys[i] == "" || keys[i] != keys[i+1] || seen[keys[i]] {
			t.Errorf("requests %d and %d were sent under %q and %q", i, i+1, keys[i], keys[i+1])
		}
		seen[keys[i]] = true
	}
	if len(keys) != 8 {
		t.Errorf("%d requests", len(keys))
	}
}
