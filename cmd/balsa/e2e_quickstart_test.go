//go:build e2e

package main

import (
	"os"
	"testing"
)

// Every command of the quick start works as it stands, in the order in which it stands; who leads is drawn by
// lot, so what is asked too early is asked again.
func TestE2EQuickstart(t *testing.T) {
	follow(t, "quickstart.md", 20)
	if _, err := os.Stat(standardData()); !os.IsNotExist(err) {
		t.Errorf("the story ends with data left behind: %v", err)
	}
}
