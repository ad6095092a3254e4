//go:build e2e

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"balsa/client"
)

// A cluster on this machine gets a node more, and a node with an empty disk in the place of another, with one
// command each. It stays so over a stop; a node that was removed does not keep it from starting, and comes
// back empty.
func TestE2EAClusterIsRebuilt(t *testing.T) {
	s := newShell(t)
	s.balsa("cluster start")
	s.balsa("put key value")
	voters := func(want ...uint64) {
		t.Helper()
		var got []uint64
		eventually(t, 10*time.Second, fmt.Sprint("voters ", want), func() bool {
			now, err := s.client.Cluster(t.Context())
			got = nil
			for _, m := range now.Members {
				if m.Role == client.RoleVoter && m.Health == client.HealthOK {
					got = append(got, m.ID)
				}
			}
			return err == nil && now.Settled() && fmt.Sprint(got) == fmt.Sprint(want)
		})
	}
	if out := s.balsa("cluster add"); !strings.HasPrefix(out, "node 4 started\nnode 4 is a voter") {
		t.Errorf("add: %s", out)
	}
	voters(1, 2, 3, 4)
	s.balsa("cluster partition 4 / 1 2 3")
	eventually(t, 5*time.Second, "the proxies cut off the new one too", func() bool {
		now, err := s.client.Cluster(t.Context())
		m, _ := now.Member(4)
		return err == nil && m.Health == client.HealthSilent
	})
	s.balsa("cluster heal")
	for _, id := range []string{"2", "4"} {
		_, out, printed := s.run(builtBinary(t), "cluster", "replace", id)
		for _, line := range []string{" cluster kill " + id, " member remove " + id,
			"$ rm -r " + standardData() + "/" + id, " serve --id " + id, " --join http://",
			" member promote " + id} {
			if !strings.Contains(printed, line) {
				t.Errorf("replace %s prints no %q:\n%s%s", id, line, out, printed)
			}
		}
		voters(1, 2, 3, 4)
	}
	s.says("get key --endpoints http://"+loopback(s.ports+1), "value")
	s.balsa("member remove 4")
	eventually(t, 10*time.Second, "the leader has let go of node 4", func() bool {
		now, err := s.client.Cluster(t.Context())
		_, is := now.Member(4)
		return err == nil && !is
	})
	s.balsa("cluster stop")
	if out := s.balsa("cluster start"); !strings.HasPrefix(out, "ready: 4 nodes run") {
		t.Errorf("start: %s", out)
	}
	voters(1, 2, 3)
	s.balsa("cluster kill 1")
	eventually(t, 5*time.Second, "node 1 is missed", func() bool {
		now, err := s.client.Cluster(t.Context())
		return err == nil && *now.FailureTolerance == 0
	})
	status, _, said := s.run(builtBinary(t), "cluster", "replace", "2")
	if status != exitPrecondition || !strings.Contains(said, "the cluster could not do without node 2") {
		t.Errorf("status %d, %s", status, said)
	}
	s.balsa("cluster start 1")
	s.balsa("cluster kill 4")
	if out := s.balsa("cluster add"); !strings.HasPrefix(out, "node 4 started\nnode 4 is a voter") {
		t.Errorf("add again: %s", out)
	}
	voters(1, 2, 3, 4)
}
