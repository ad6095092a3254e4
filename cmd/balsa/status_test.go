package main

import (
	"bytes"
	"strings"
	"testing"

	"balsa/client"
)

// What is known of snapshots is seen in the table, which fits into a terminal: the newest one, one that is on
// its way, one that is being restored, and why none could be taken.
func TestStatusShowsSnapshots(t *testing.T) {
	node := func(id uint64, role string, applied, snapshot, keys uint64) report {
		s := &client.Status{ID: id, Role: role, Term: 1207, Leader: 2, Commit: 123456, Applied: applied,
			Keys: keys}
		s.Snapshot.Index = snapshot
		return report{Endpoint: "http://127.0.0.1:800" + number(id), Status: s}
	}
	reports := []report{node(1, "follower", 123456, 119000, 99999), node(2, "leader", 123456, 120000, 99999),
		node(3, "follower", 0, 0, 0), node(4, "follower", 0, 118000, 0), node(5, "follower", 9, 0, 1),
		{Endpoint: "http://127.0.0.1:8006"}}
	reports[0].Status.SnapshotError = "the disk is full"
	reports[1].Status.Peers = []client.Peer{{ID: 1, Match: 123456},
		{ID: 3, Installing: &client.Installing{Offset: 42_9, Size: 100_0}},
		{ID: 4, Match: 118000}, {ID: 5, Installing: &client.Installing{Offset: 7, Size: 7}}, {ID: 6}}

	var out bytes.Buffer
	c := &console{out: &out}
	if err := c.status("table", reports); err != nil {
		t.Fatal(err)
	}
	want := `ENDPOINT        NODE  ROLE         TERM  LEADER  COMMIT  APPLIED  SNAPSHOT   KEYS
127.0.0.1:8001  1     follower     1207  2       123456  123456   119000     99999
127.0.0.1:8002  2     leader       1207  2       123456  123456   120000     99999
127.0.0.1:8003  3     follower     1207  2       123456  0        receiving  0
127.0.0.1:8004  4     follower     1207  2       123456  0        restoring  0
127.0.0.1:8005  5     follower     1207  2       123456  9        restoring  1
127.0.0.1:8006  -     unreachable  -     -       -       -        -          -
node 1 could not take a snapshot: the disk is full
node 2 leads, and knows its peers at 1@123456 3@0 4@118000 5@0 6@0
node 2 is sending node 3 a snapshot: 42 %
node 2 is sending node 5 a snapshot: 100 %
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 83 { // the word unreachable makes it three columns wider than a terminal of old
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	out.Reset()
	if err := c.status("plain", reports[:2]); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasSuffix(got, "\t120000\t99999\t1@123456 3@0 4@118000 5@0 6@0\n") {
		t.Errorf("plain: %s", got)
	}
}

// A node that repairs itself is told of in the table and below it; when that leaves no quorum, the status of
// the command says so too, unless a node leads and what the others say is old.
func TestStatusShowsRepairs(t *testing.T) {
	reports := make([]report, 3)
	for i := range reports {
		s := &client.Status{ID: uint64(i + 1), Role: "follower", Term: 9, Commit: 20, Applied: 20, Keys: 5}
		reports[i] = report{Endpoint: "http://127.0.0.1:800" + number(s.ID), Status: s}
	}
	const why = "2 of 3 voters repair themselves"
	for i, floor := range []uint64{0, 8} {
		reports[i].Status.Repair = &client.Repair{On: true, Floor: floor, Nodes: []uint64{1, 2}, Halted: why}
	}
	reports[2].Status.Repair = &client.Repair{Nodes: []uint64{1, 2}, Halted: why}
	const want = `ENDPOINT        NODE  ROLE       TERM  LEADER  COMMIT  APPLIED  SNAPSHOT  KEYS
127.0.0.1:8001  1     repairing  9     -       20      20       -         5
127.0.0.1:8002  2     repairing  9     -       20      20       -         5
127.0.0.1:8003  3     follower   9     -       20      20       -         5
node 1 repairs itself after damage of its disk, and counts for nothing yet
node 2 repairs itself after damage of its disk, and counts for nothing yet: it returns in a term after 8
`
	for _, as := range []format{"table", "plain", "json"} {
		var out bytes.Buffer
		c := &console{out: &out}
		err := c.status(as, reports)
		if exitStatus(err) != exitUnavailable || err.Error() != "the cluster stands still: "+why {
			t.Errorf("%s: %v", as, err)
		}
		if as == "table" && out.String() != want {
			t.Errorf("%s\nwant\n%s", &out, want)
		}
	}
	reports[2].Status.Leader, reports[2].Status.Repair = 3, nil
	if err := (&console{out: &bytes.Buffer{}}).status("table", reports); err != nil {
		t.Errorf("a node leads: %v", err)
	}
}

// The members' health says who repairs itself, and a line below what that means for the cluster.
func TestTheMemberListShowsRepairs(t *testing.T) {
	now := client.Cluster{Node: 3, Members: []client.Member{
		{ID: 1, Role: client.RoleVoter, Health: client.HealthRepairing, Match: 7, ContactMS: 30,
			Address: "a:1", Installing: &client.Installing{Offset: 1, Size: 2}},
		{ID: 3, Role: client.RoleVoter, Health: client.HealthUnknown, ContactMS: -1, Address: "c:1"},
		{ID: 4, Role: client.RoleLearner, LagBytes: 5 << 20, ContactMS: -1, Address: "d:1"},
		{ID: 5, Role: client.RoleLearner, LagBytes: 1023, ContactMS: -1, Address: "e:1"},
		{ID: 6, Role: client.RoleLearner, LagBytes: 2048, ContactMS: -1, Address: "f:1"},
		{ID: 7, Role: client.RoleLearner, LagBytes: -1, ContactMS: -1, Address: "g:1"},
	}, Repair: &client.Repair{Nodes: []uint64{1}, Halted: "1 of 2 voters repairs itself"}}
	now.LeaseDrift, now.LeaseTimeMS = 500, 300
	var out bytes.Buffer
	if err := (&console{out: &out}).members("table", now); err != nil {
		t.Fatal(err)
	}
	const want = `ID  ROLE     HEALTH                                MATCH  LAG       CONTACT  RAFT  HTTP
1   voter    repairing, receives a snapshot: 50 %  7      0         30ms     a:1   -
3   voter    unknown                               0      0         -        c:1   -
4   learner                                        0      5MiB      -        d:1   -
5   learner                                        0      1023B     -        e:1   -
6   learner                                        0      2KiB      -        f:1   -
7   learner                                        0      snapshot  -        g:1   -
the cluster stands still: 1 of 2 voters repairs itself
reads by lease are on: right as long as no clock errs by more than 500 ppm; each voter votes for nobody` +
		` for 300ms after it has heard the leader
`
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", &out, want)
	}
}

// A node that could not be asked for a snapshot is named once in its row.
func TestARowNamesItsEndpointOnce(t *testing.T) {
	got := command(t, "", "snapshot", "-o", "plain", "--endpoints", "127.0.0.1:1")
	if !strings.HasPrefix(got.out, "http://127.0.0.1:1\tfailed: unreachable: ") ||
		strings.Count(got.out, "http://127.0.0.1:1") != 1 || got.status != exitUnavailable {
		t.Errorf("%+v", got)
	}
}
