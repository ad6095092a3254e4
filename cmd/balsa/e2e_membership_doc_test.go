//go:build e2e

package main

import "testing"

// Every command of docs/membership.md works as it stands, in the order in which it stands.
func TestE2EMembersAsDocumented(t *testing.T) { follow(t, "membership.md", 15) }
