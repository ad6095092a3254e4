package wire

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"balsa/raft"
)

var update = flag.Bool("update", false, "rewrite the golden files: only when a format is meant to change")

// samples hold every message at least once. The golden files say what their bytes are, for good: data
// directories and clusters of mixed versions depend on them.
func samples() []raft.Envelope {
	last, conflict := raft.EntryID{Term: 2, Index: 7}, raft.EntryID{Term: 1, Index: 4}
	api := [2]string{"http://127.0.0.1:8002", ""}
	var all []raft.Envelope
	for i, m := range []raft.Message{
		raft.PreVote{Term: 3, Last: last},
		raft.PreVoteResponse{Term: 3, Granted: true},
		raft.RequestVote{Term: 3, Last: last},
		raft.RequestVote{Term: 3, Last: last, Forced: true},
		raft.RequestVoteResponse{Term: 3, Granted: true},
		raft.AppendEntries{Term: 3, Prev: last, Commit: 6, Round: 12},
		raft.AppendEntries{Term: 3, Prev: last, Commit: 7, Round: 13, Entries: []raft.Entry{
			{Term: 3, Index: 8, Time: 1_763_000_000_000_000_001, Kind: raft.NoOp},
			{Term: 3, Index: 9, Kind: raft.Normal, Command: []byte("SET greeting <héllo>")},
			{Term: 3, Index: 10, Kind: raft.Normal, Command: []byte{0xff, 0}},
		}},
		raft.AppendEntriesResponse{Term: 3, Round: 13, Match: 10},
		raft.AppendEntriesResponse{Term: 3, Round: 13, Rejected: true, Conflict: conflict},
		raft.AppendEntriesResponse{Term: 3, Round: 13, Match: 7, Holds: 9, Busy: true},
		raft.InstallSnapshot{
			Term: 3, Last: last, Size: 9, Offset: 4, Data: []byte("snap\xff"), Checksum: 0xfedcba98,
		},
		raft.InstallSnapshotResponse{Term: 3, Last: last, Next: 9, Complete: true},
		raft.TimeoutNow{Term: 3, Round: 13},
		raft.ForwardProposal{Leader: 3, Start: 4, Number: 5, Command: []byte("DELETE greeting")},
		raft.ForwardProposalResponse{Leader: 3, Start: 4, Number: 5, Entry: raft.EntryID{Term: 3, Index: 11}},
		raft.ForwardProposalResponse{Leader: 3, Start: 4, Number: 5, Refused: true, NotAccepted: true},
		raft.ForwardRead{Leader: 3, Start: 4, Number: 6},
		raft.ForwardReadResponse{Leader: 3, Start: 4, Number: 6, Index: 11},
		raft.ForwardReadResponse{Leader: 3, Start: 4, Number: 6, Refused: true},
		raft.IdentityRefused{Why: raft.OtherCluster},
		raft.ForwardProposal{Leader: 3, Start: 4, Number: 7, Kind: raft.Session, Command: []byte{1, 0xff}},
		raft.AppendEntries{Term: 3, Prev: last, Entries: []raft.Entry{
			{Term: 3, Index: 8, Kind: raft.Session, Command: []byte("\x01session")},
		}},
		raft.InstallSnapshot{Term: 3, Last: last, Size: 9}, // asks only
		raft.RepairFloor{Number: 5},
		raft.RepairFloorResponse{Number: 5, Floor: 3},
		raft.AppendEntriesResponse{Term: 3, Round: 13, Match: 7, Holds: 9, Repairing: true, Floor: 2},
		raft.InstallSnapshotResponse{Term: 3, Last: last, Next: 9, Complete: true, Repairing: true},
	} {
		all = append(all, raft.Envelope{
			From: raft.Identity{
				Cluster: raft.ClusterID{0xc1, 15: 0x0f}, Node: 2, Incarnation: 0xfedc_ba98_7654_3210,
				Start: 4, Configuration: 1, API: api[i%2],
			},
			To: 1, Sequence: raft.Sequence(40 + i), Message: m,
		})
	}
	says := all[5] // what came to be said later, in frames that older programs need not read
	says.From.Address, says.From.Version = "10.0.0.2:9001", 0x0102_0304
	refused := all[15]
	refused.From.Version = 1
	refused.Message = raft.ForwardProposalResponse{Leader: 3, Start: 4, Number: 8, Refused: true,
		NotAccepted: true, HandingOver: true}
	order, read := all[12], all[16]
	order.Message = raft.TimeoutNow{Term: 3, Round: 13, Start: 2}
	read.Message = raft.ForwardRead{Leader: 3, Start: 4, Number: 8, Lease: true}
	return append(all, says, refused, order, read)
}

func TestTheBinaryFormDoesNotDrift(t *testing.T) {
	var text strings.Builder
	seen := map[kind]bool{}
	for _, e := range samples() {
		seen[kindOf(e.Message)] = true
		fmt.Fprintf(&text, "%s\n%s", Name(e.Message), hex.Dump(AppendEnvelope(nil, e)))
	}
	if len(seen) != int(lastKind) {
		t.Errorf("the samples have %d of %d kinds", len(seen), lastKind)
	}
	golden(t, "frames.txt", text.String())
}

func TestTheJSONFormDoesNotDrift(t *testing.T) {
	var text strings.Builder
	for _, e := range samples() {
		line := AppendJSON(nil, e)
		fmt.Fprintf(&text, "%s\n%s", Name(e.Message), line)
		got, err := DecodeJSON(Name(e.Message), line)
		if diff := cmp.Diff(e, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", line, err, diff)
		}
	}
	golden(t, "json.txt", text.String())
}

func TestTheFormsOfConfigurationsDoNotDrift(t *testing.T) {
	bootstrap := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "b:2", 3: "c:3"})
	joint := raft.Configuration{
		Members: []raft.Member{
			{ID: 1, Incarnation: 0xfedc_ba98_7654_3210, Address: "a:1", API: "a:2"},
			{ID: 2, Address: "b:1"},
			{ID: 9, Address: "c:1"},
		},
		Voters: []raft.NodeID{1, 2}, Outgoing: []raft.NodeID{1}, Learners: []raft.NodeID{9},
		AutoPromote: true,
	}
	gated := bootstrap.Clone()
	gated.Version, gated.LeaseDrift = 0x0102_0304, 500
	var text strings.Builder
	fmt.Fprintf(&text, "bootstrap\n%s", hex.Dump(AppendConfiguration(nil, bootstrap)))
	fmt.Fprintf(&text, "joint\n%s", hex.Dump(AppendConfiguration(nil, joint)))
	fmt.Fprintf(&text, "with gates\n%s", hex.Dump(AppendConfiguration(nil, gated)))
	fmt.Fprintf(&text, "id of the unnamed cluster\n%v\n", ClusterID("", bootstrap))
	fmt.Fprintf(&text, "id of the cluster named test\n%v\n", ClusterID("test", bootstrap))
	golden(t, "configurations.txt", text.String())
}

// golden compares a text with a committed file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	file = "testdata/" + file
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the format has changed: what was written before can no longer be read. %s: %s", file, diff)
	}
}
