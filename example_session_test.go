package balsa_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"balsa"
)

// Votes counts. A vote that is applied twice is counted twice.
type Votes struct{ n int }

// Apply counts one.
func (v *Votes) Apply(balsa.Entry) []byte {
	v.n++
	return []byte(strconv.Itoa(v.n))
}

// Snapshot captures the count.
func (v *Votes) Snapshot() (io.WriterTo, error) { return bytes.NewBufferString(strconv.Itoa(v.n)), nil }

// Restore replaces the count.
func (v *Votes) Restore(from io.Reader) error {
	text, err := io.ReadAll(from)
	if err == nil {
		v.n, err = strconv.Atoi(string(text))
	}
	return err
}

// A command whose answer was lost is proposed again under its number, here or at another node, and applied
// once. Propose in place of ProposeAs draws the numbers, and asks again by itself.
func ExampleSession() {
	dir, _ := os.MkdirTemp("", "balsa-example")
	defer os.RemoveAll(dir)
	node, err := balsa.Open(balsa.Config{
		ID:           1,
		Dir:          dir,
		Peers:        map[balsa.NodeID]string{1: "127.0.0.1:0"},
		StateMachine: &Votes{},
	})
	if err != nil {
		panic(err)
	}
	defer node.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = node.AwaitLeader(ctx)
	session, err := node.NewSession(ctx, time.Hour)
	if err != nil {
		panic(err)
	}
	for range 2 { // as if the first answer had been lost
		vote, err := session.ProposeAs(ctx, 1, []byte("ada"))
		fmt.Println(string(vote.Result), vote.Replayed, err)
	}
	// Output:
	// 1 false <nil>
	// 1 true <nil>
}
