package balsa_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	"balsa"
)

// Ages is a replicated map: a state machine of the embedding program.
type Ages map[string]int

// Apply carries out one committed command, on every node in the same order.
func (a Ages) Apply(e balsa.Entry) []byte {
	var set map[string]int
	if err := json.Unmarshal(e.Command, &set); err != nil {
		return []byte("refused: " + err.Error())
	}
	maps.Copy(a, set)
	return fmt.Appendf(nil, "%d known", len(a))
}

// Snapshot captures the state. What it returns is written beside later calls of Apply, so it must not change
// any more: here it is the text already.
func (a Ages) Snapshot() (io.WriterTo, error) {
	text, err := json.Marshal(a)
	return bytes.NewBuffer(text), err
}

// Restore replaces the state by one that was captured.
func (a Ages) Restore(from io.Reader) error {
	captured := Ages{}
	err := json.NewDecoder(from).Decode(&captured)
	if err == nil {
		clear(a)
		maps.Copy(a, captured)
	}
	return err
}

// A replicated map: one node of a cluster of one. A cluster of three opens three nodes with the same three
// Peers.
func Example() {
	dir, _ := os.MkdirTemp("", "balsa-example")
	defer os.RemoveAll(dir)
	node, err := balsa.Open(balsa.Config{
		ID:           1,
		Dir:          dir,
		Peers:        map[balsa.NodeID]string{1: "127.0.0.1:0"},
		StateMachine: Ages{},
	})
	if err != nil {
		panic(err)
	}
	defer node.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _ = node.AwaitLeader(ctx) // elections take a moment
	for _, command := range []string{`{"ada": 36}`, `{"alan": 41}`, `{oops}`} {
		result, err := node.Propose(ctx, []byte(command))
		fmt.Println(string(result), err)
	}
	// Output:
	// 1 known <nil>
	// 2 known <nil>
	// refused: invalid character 'o' looking for beginning of object key string <nil>
}
