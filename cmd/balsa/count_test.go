package main

import (
	"strings"
	"testing"
)

// One node is not "1 nodes", and nobody takes over from it.
func TestWhatIsSaidOfOneNode(t *testing.T) {
	if got := count(1, "node") + ", " + count(3, "node"); got != "1 node, 3 nodes" {
		t.Error(got)
	}
	for nodes, word := range map[int]string{1: "nobody takes", 2: "nobody takes", 3: "another takes"} {
		if got := (plan{Nodes: nodes}).afterwards(); !strings.HasPrefix(got, word) {
			t.Errorf("%d nodes: %s", nodes, got)
		}
	}
}
