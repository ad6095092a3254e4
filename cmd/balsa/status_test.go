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

// A node that could not be asked for a snapshot is named once in its row.
func TestARowNamesItsEndpointOnce(t *testing.T) {
	got := command(t, "", "snapshot", "-o", "plain", "--endpoints", "127.0.0.1:1")
	if !strings.HasPrefix(got.out, "http://127.0.0.1:1\tfailed: unreachable: ") ||
		strings.Count(got.out, "http://127.0.0.1:1") != 1 || got.status != exitUnavailable {
		t.Errorf("%+v", got)
	}
}
