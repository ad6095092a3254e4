package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"balsa/client"
)

// What an error means to the caller is asked with errors.Is, the unknown outcome first.
func Example() {
	// Stands for a node that lost its leadership while the write was under way.
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.HeaderServedBy, "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"error":{"code":"leader_changed","message":"leadership lost","outcome":"unknown"}}`)
	}))
	defer node.Close()

	cluster, err := client.New([]string{node.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = cluster.Put(context.Background(), "greeting", []byte("hello"))
	switch {
	case err == nil:
		fmt.Println("stored")
	case errors.Is(err, client.ErrOutcomeUnknown):
		fmt.Println("stored, or not: read before writing again")
	case errors.Is(err, client.ErrUnavailable):
		fmt.Println("not stored: try again later")
	default:
		fmt.Println("not stored:", err)
	}
	// Output: stored, or not: read before writing again
}
