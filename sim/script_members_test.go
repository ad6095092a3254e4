package sim

import (
	"strings"
	"testing"
)

// A cluster of three with two that stand by, at rest.
const withSpares = "opt spares=2 membership=on latency=10ms\nrun until some leader;  let n1 = leader\n" +
	"run until commit all >= 2\n"

// Each statement about members does what it says, and the administrator is told.
func TestMembersOfAStory(t *testing.T) {
	const joined = "join n4 n5;  member @ops add n4 n5;  run until answer @ops = ok;  run 200ms\n"
	for _, text := range []string{
		joined + "expect learners all = n4 n5 and voters all = n1 n2 n3\n" +
			"expect members n5 = n1 n2 n3 n4 n5",
		joined + "member @ops promote n4 remove n1;  expect joint n1 and changing n1\n" +
			"expect answer @ops = open and voters n1 = n2 n3 n4 and outgoing n1 = n1 n2 n3\n" +
			"member @eve remove n2\nexpect answer @eve = refused ChangeOpen and answer @eve = no\n" +
			"run until answer @ops = ok\n" +
			"expect voters n2 = n2 n3 n4 and not joint n2 and outgoing n2 = none",
		joined + "member auto on;  run until voters all = n1 n2 n3 n4 n5",
		joined + "member @ops demote n2 n3;  run until answer @ops = ok;  expect voters n1 = n1",
		"member @ops at n2 remove n3;  expect answer @ops = refused NotLeader\n" +
			"expect not answer @ops = refused ChangeOpen",
		"kill n2;  run 1s;  member @ops remove n3;  expect answer @ops = refused VotersSilent\n" +
			"member @ops remove n3 force;  expect answer @ops = open and joint n1",
		"member @ops remove n2;  kill n1;  expect answer @ops = unknown and not answer @ops = no",
		"transfer @ops to n2;  run until answer @ops = ok;  expect leader = n2",
		"transfer;  run until not leader = n1 and some leader",
		"transfer @ops at n3 to n2;  expect answer @ops = refused NotLeader",
		"kill n3;  run 1s;  transfer @ops to n3;  expect answer @ops = refused NoTarget",
		"kill n3;  move n3 to elsewhere;  restart n3;  run 1s;  propose @ann to n1 put x 1\n" +
			"run until value n3 x = 1",
		"kill all;  move n1 to n2 told;  restart all;  run until some leader",
		"image n3;  clone n3 as n4;  run until why n4 PeerRefused;  expect no leader n4",
		"join n4;  member @ops add n4;  run until answer @ops = ok;  image n4;  member @ops remove n4\n" +
			"run until answer @ops = ok;  run 1s;  clone n4 as n5", // which never had a vote
		"kill n3;  stray n4 at n3;  run until why PeerRefused.OtherCluster",
		"restart all;  kill all;  restart n1;  expect down n4",
	} {
		const again = "kill n3;  restart n3;  run 1s;  timeout n3;  run 1s;  "
		text = strings.ReplaceAll(text, "clone", again+again+"clone")
		if show, err := told(t, withSpares+text, Manner{}); err != nil {
			t.Errorf("%v\n%s", err, show)
		}
	}
}

// What the world would take no notice of is no part of a story.
func TestMembersUnmet(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"member add n4;  expect learners n1 = n2",
			"learners n1 = n2 was expected; n1 has voters n1 n2 n3, by entry 2"},
		{"expect voters n4 = n1", "n4 is down"},
		{"expect joint n1",
			"joint n1 was expected; n1 has voters n1 n2 n3, by entry 2, with commit 2"},
		{"member @ops add n4;  expect answer @ops = ok",
			"@ops was refused: BadMember (no member can be like"},
		{"member @ops remove n2;  expect answer @ops = ok", "@ops has no answer yet"},
		{"member @ops remove n2;  member @ops remove n3",
			"@ops has no answer yet and cannot ask"},
		{"member @ops remove n2;  kill n1;  expect answer @ops = ok",
			"told nothing by a server that has died"},
		{"member @ops remove n2;  propose @ops put x 1", "@ops is an administrator"},
		{"propose @ann put x 1;  transfer @ann", "@ann is a client already"},
		{"expect answer @ops = refused NoTarget", "@ops has asked for no change"},
		{"kill n1;  member remove n2", "there is nobody to ask: nobody leads"},
		{"kill n2;  member at n2 remove n2", "there is nobody to ask"},
		{"join n1", "n1 runs: kill it first"},
		{"restart n4", "n4 is a spare, and has no disk yet"},
		{"clone n1 as n4", "there is no copy of the disk of n1"},
		{"image n1;  clone n1 as n4", "not everybody has met a later start of n1"},
		{"image n3;  member @ops remove n3;  run until answer @ops = ok;  run 1s;  clone n3 as n4",
			"not everybody has met a later start of n3"}, // whoever restarts may hear it as a member
		{"image n1;  clone n1 as n2", "n2 is no spare any more"},
		{"stray n4 at n1", "n1 is not down"},
		{"kill n1;  stray n2 at n1", "n2 is no spare any more"},
		{"kill n1;  stray n4 at n1;  kill n4;  join n4", "n4 stands for something else already"},
		{"move n1 to n2", "n1 must be down"},
		{"kill n1;  move n1 to n1", "n1 is there already"},
		{"kill n1;  move n1 to n2", "n2 is there and runs"},
	} {
		_, err := told(t, withSpares+c.text, Manner{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	_, err := told(t, "nodes 1\nopt spares=1\nrun until some leader\nimage n1;  clone n1 as n2", Manner{})
	if err == nil || !strings.Contains(err.Error(), "n1 was the only voter") {
		t.Errorf("the copy of the only voter: %v", err)
	}
}

// Every mistake in a statement about members is told with its place.
func TestMemberErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"member", "here what becomes of the members must stand, one of add, promote, demote, remove"},
		{"member drop n1", `not "drop"`},
		{"member remov n1", "(perhaps remove is meant)"},
		{"member add n4", `column 12: there is no node "n4": the nodes are n1 to n3, and with opt spares=2`},
		{"opt spares=1; member add n5", `column 26: there is no node "n5": the nodes are n1 to n4`},
		{"member add n1 promote n2 add n3", "column 26: add stands twice in one change"},
		{"member force force", "force stands twice"},
		{"member auto", "whether learners are promoted by themselves must stand, one of on, off"},
		{"member remove all", `here nodes must stand by their names, not "all"`},
		{"member ops remove n1", `not "ops"`},
		{"transfer n1", `the statement should end before "n1"`},
		{"opt spares=1; clone n1 n4", `here "as" must stand, not "n4"`},
		{"clone n1 as n1", "here another node must stand than n1"},
		{"stray n1 as n2", `here "at" must stand, not "as"`},
		{"move n1", `here "to" must stand`},
		{`move n1 to ""`, "column 12: an address has 1 to 99 bytes"},
		{"move n1 to a b", `the statement should end before "b"`},
		{"move n1 to n7", `there is no node "n7"`},
		{"expect voters n1 n2", `here "=" must stand, not "n2"`},
		{"expect votrs n1 = n2", "(perhaps voters is meant)"},
		{"expect voters n1 = all", `here nodes must stand by their names, not "all"`},
		{"expect answer @ops = refused", "here a reason must stand, one of NotLeader, Overloaded"},
		{"expect answer @ops = refused ChangeOpn", "(perhaps ChangeOpen is meant)"},
	} {
		misread(t, c.text, c.want)
	}
}
