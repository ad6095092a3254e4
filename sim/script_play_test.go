package sim

import (
	"errors"
	"strings"
	"testing"
)

// told plays a text and returns what was told, or the error.
func told(t *testing.T, text string, m Manner) (Performance, error) {
	t.Helper()
	return parsed(t, text).Play(m)
}

const manual = "opt prevote=off timers=manual latency=10ms\n"

// What does not come true is told with its place and with what was the case instead.
func TestUnmet(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"run 1ms\nexpect some leader", "line 3, column 1, at e"},
		{"run 1ms\nexpect some leader", "some leader was expected; nobody leads"},
		{"timeout n1;  run until leader = n1\nexpect leader = n2",
			"leader = n2 was expected; n1 leads term 1"},
		{"run until leader = n1 within 1s", "line 2, column 1, at"},
		{"run until leader = n1 within 1s", "(1s): within 1s it did not come to leader = n1: nobody leads"},
		{"kill n1;  expect up n1", "up n1 was expected; n1 is down"},
		{"kill n1;  expect term n1 = 0", "term n1 is not known"},
		{"kill all;  expect term all = 0", "term all = 0 was expected"},
		{"expect term n1 > last n2", "term n1 is 0, last n2 is 0"},
		{"expect match n1 n2 = 0", "match n1 n2 is not known"},
		{"expect leaders = 1", "leaders = 1 was expected; nobody leads"},
		{"expect vote n1 = n2", "n1 has voted for nobody in term 0"},
		{"expect value n1 x = 1", "n1 holds nothing under x"},
		{"expect role n1 = leader", "n1 is a follower in term 0 with commit 0 and last 0/t0"},
		{"expect answer @ann = ok", "@ann has asked nothing"},
		{"propose @ann put x 1;  expect answer @ann = ok", `the outcome of put x="1" by @ann is open`},
		{"propose @ann put x 1;  propose @ann put x 2", `@ann has no answer to put x="1" yet`},
		{"expect saw @ann = 1", "no read of @ann was answered"},
		{"expect why BecameLeader", "since the last label nobody decided BecameLeader"},
		{"timeout n1;  timeout n2;  run 50ms;  expect why VoteDenied.LogNotUpToDate",
			"since the last label there was n1 VoteDenied.AlreadyVoted, n2 VoteDenied"},
		{"let n1 = leader", "nobody leads"},
		{"settle", "with timers=manual nothing settles by itself"},
		{`predict "?" answer "a" up n1 answer "b" up n2`, `one must be right, and 2 are: ["a" "b"]`},
		{"expect violation ElectionSafety", "ElectionSafety is not violated"},
	} {
		_, err := told(t, manual+c.text, Manner{})
		var unmet *Unmet
		if !errors.As(err, &unmet) || !strings.Contains(err.Error(), c.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// What comes true is told line by line.
func TestTelling(t *testing.T) {
	show, err := told(t, manual+`timeout n1;  run until leader = n1
propose @ann to n1 put x 1;  run until answer @ann = ok
read @ann at n1 x;  run until saw @ann = 1
predict "Is x 1 at n1?" answer value n1 x = 1
predict "What is it?"
    answer "2" value n1 x = 2
    answer "1" value n1 x = 1
propose @ann to n2 delete x;  run until answer @ann = ok
read @ann at n1 x;  run until saw @ann nothing
expect no value n1 x and not answer @ann = no and last n1 = 3 and log n1 9 = 0 and term all = 1`, Manner{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`answer value n1 x = 1  → yes`, `answer "1" value n1 x = 1  → 1`} {
		if !strings.Contains(show.String(), want) {
			t.Errorf("the telling lacks %q:\n%s", want, show)
		}
	}
	if show.Events == 0 || show.Simulated == 0 || show.Violation != nil {
		t.Errorf("%+v", show)
	}
}

// A branch is the same run up to its point: it begins where what stands under the label ends, and what came
// before is not told twice.
func TestBranches(t *testing.T) {
	show, err := told(t, manual+`timeout n1;  run until leader = n1
# (a) a write
propose @ann to n1 put x 1;  run until answer @ann = ok
# (b) another one
propose @ann to n1 put x 2;  run until answer @ann = ok
expect last n1 = 3
branch "instead" from (a)
expect last n1 = 2 and value n1 x = 1
propose @ann to n1 put x 3;  run until answer @ann = ok
expect value n1 x = 3 and last n1 = 3 and not why BecameLeader
branch "at the end" from (b)
expect last n1 = 3 and value n1 x = 2`, Manner{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range show.Lines {
		if l.Branch == "instead" && l.Line < 9 || l.Branch == "" && l.Line > 8 {
			t.Errorf("line %d is told in branch %q", l.Line, l.Branch)
		}
	}
}

// The same story is the same run, event by event, and another seed is another one.
func TestPlayingIsDeterministic(t *testing.T) {
	const story = "opt clients=3\nrun until some leader\nkill n1;  run 2s;  restart n1;  settle"
	first, err := told(t, story, Manner{})
	if err != nil {
		t.Fatal(err)
	}
	seen := uint64(0)
	again, err := told(t, story, Manner{Observe: func(r Record) {
		if r.Kind != Decided {
			seen++
		}
	}})
	if err != nil || again.Digest != first.Digest || again.Events != first.Events {
		t.Errorf("%v: digest %v of %d events, the first time %v of %d", err, again.Digest, again.Events,
			first.Digest, first.Events)
	}
	if seen != again.Events {
		t.Errorf("%d events were observed of %d", seen, again.Events)
	}
	other, err := told(t, story, Manner{Seed: 7})
	if err != nil || other.Digest == first.Digest {
		t.Errorf("%v: another seed gives the same digest %v", err, other.Digest)
	}
}

// Each kind of meddling with messages, and each kind of hold.
func TestMessagesOfAStory(t *testing.T) {
	const led = manual + "timeout n1;  run until applied all = 1\n"
	for _, text := range []string{
		// The next one is lost, the one after it is not.
		"drop n1 -> n2 type=vote;  timeout n1;  run 30ms;  expect vote n2 = none and vote n3 = n1",
		"drop n1 -> n2 type=append;  timeout n1;  run 15ms;  expect vote n2 = n1",
		"delay n1 -> n2 type=vote by=1s;  timeout n1;  run 900ms;  expect vote n2 = none;  run 200ms\n" +
			"expect term n2 = 1",
		"dup n2 -> n1 type=vote-response;  timeout n1;  run until leader = n1",
		"hold n1 -> n2;  timeout n1;  run 50ms;  expect term n2 = 0 and leader = n1\nrelease;  run 20ms\n" +
			"expect term n2 = 1",
		// What is on its way is held as well, and dropped with what is held.
		"timeout n1;  run 5ms;  hold n1 -> n2;  run 1ms;  drop held;  run 15ms;  expect vote n2 = none",
		"timeout n1;  run 5ms;  hold n1 -> n2;  run 1ms;  release;  run 15ms;  expect vote n2 = n1",
		"timeout n1;  run 5ms;  hold n1 -> n2 type=append;  drop held;  run 15ms;  expect vote n2 = n1",
		"cut n1 -> n2;  timeout n1;  run until leader = n1;  expect vote n2 = none and vote n3 = n1",
		"cut n2 -> n1;  timeout n1;  run until leader = n1;  expect vote n2 = n1",
		"cut n1 | n2 n3;  timeout n1;  run 100ms;  expect no leader;  heal\n" +
			"timeout n1;  run until leader = n1",
		// Who leads an older term than somebody else is a leader, and not the leader.
		"opt checkquorum=off\ntimeout n1;  run until applied all = 1;  cut n1 | n2 n3;  run 400ms\n" +
			"timeout n2;  run until leader = n2;  expect role n1 = leader and not leader = n1",
		"hold n1 -> all type=entries;  timeout n1;  run 500ms;  expect last n2 = 0 and leader = n1",
		"hold n1 -> all type=heartbeat;  timeout n1;  run until last n2 = 1;  run 500ms;  expect no leader",
	} {
		if show, err := told(t, manual+text, Manner{}); err != nil {
			t.Errorf("%v\n%s", err, show)
		}
	}
	for _, text := range []string{
		"stall n2;  run 1s;  expect up n2;  resume n2;  run 20ms;  expect commit n2 = 1",
		"kill n2;  wipe n2;  restart n2;  expect term n2 = 0",
		"disk n2 lose-unsynced;  expect down n2;  restart n2;  expect term n2 = 1 and vote n2 = n1",
		"disk n2 stall;  propose @ann to n1 put x 1;  run 200ms\n" +
			"expect durable n2 = 1 and answer @ann = ok\ndisk n2 ok;  run 200ms;  expect durable n2 = 2",
		"disk n2 fail;  propose @ann to n1 put x 1;  run until down n2",
		"apply n2 panic;  propose @ann to n1 put x 1;  run until down n2",
		"apply n2 slow=100000;  propose @ann to n1 put x 1;  run 200ms\n" +
			"expect applied n2 = 1 and commit n2 = 2",
		"clock n1 rate=0.01;  run 1s;  propose @ann to n1 put x 1;  run until answer @ann = ok",
		"let n3 = leader;  expect leader = n3 and vote n1 = n3 and match n3 n2 = 1 and why n3 BecameLeader",
	} {
		if show, err := told(t, led+text, Manner{}); err != nil {
			t.Errorf("%v\n%s", err, show)
		}
	}
}

// In a broken program what is expected may fail, and the story goes on to its end.
func TestBrokenPlayGoesOn(t *testing.T) {
	show, err := told(t, manual+"expect some leader\nrun until some leader within 1s\nrun 1s",
		Manner{Broken: true})
	if err != nil || show.Simulated != 2*Second {
		t.Errorf("%v after %v", err, show.Simulated)
	}
}

// A story that would go on for too long stops with what it knows.
func TestBudgetOfAStory(t *testing.T) {
	for _, text := range []string{"run 24h", "run until leader = n1 within 24h"} {
		show, err := told(t, manual+text, Manner{Budget: 1000})
		if err == nil || !strings.Contains(err.Error(), "all of its 1000 events") || show.Events != 1000 {
			t.Errorf("%q: %v after %d events", text, err, show.Events)
		}
	}
}

// A violation that nobody expects fails the story where it comes; one that is expected ends it well.
func TestViolationsInAStory(t *testing.T) {
	const story = "run 1ms\nexpect violation Durability"
	s := parsed(t, story)
	p, err := s.stage(Manner{}, "", &Performance{})
	if err != nil {
		t.Fatal(err)
	}
	p.world.fail(Durability, "made up")
	if err := p.playAll(s.paths()[0]); err != nil {
		t.Errorf("the expected violation: %v", err)
	}
	p.world.violation.Property = OneVote
	if err := p.playAll(s.paths()[0]); err == nil || !strings.Contains(err.Error(), "OneVote: made up") {
		t.Errorf("the other violation: %v", err)
	}
}

// TestScriptOptions: every option reaches the world, whatever the order in which it is written.
func TestScriptOptions(t *testing.T) {
	want := DefaultOptions()
	want.Nodes, want.Clients, want.Faulty = 4, 2, 0
	want.Tick, want.Heartbeat, want.ElectionMin, want.ElectionMax = 20*Millisecond, 5, 20, 40
	want.NoPreVote, want.NoCheckQuorum, want.NoElectionTimer = true, true, true
	want.Latency, want.LatencyMean, want.Disk, want.DiskMean = 3*Millisecond, 2*Millisecond, Millisecond, 0
	want.Apply, want.Patience, want.SegmentBytes = Second, Minute, 8192
	want.Limits.AppendBytes, want.Limits.Window = 129, 7
	want.Limits.BacklogBytes, want.Limits.UncommittedBytes = 100, 200
	want.Limits.PromoteBytes = 256
	want.Keeping, want.SnapshotChunk, want.Spares = 3*Second, 100, 2
	want.Limits.SnapshotBytes, want.Limits.TrailingBytes, want.Limits.ChunkBytes = 1280, -1, 100
	s := parsed(t, "nodes 4\nopt election=400ms..800ms heartbeat=100ms tick=20ms jitter=2ms latency=3ms "+
		"disk=1ms apply=1s patience=1m\nopt batch=3 window=7 backlog=100 uncommitted=200 clients=2 "+
		"segment=8192 prevote=off checkquorum=off timers=manual\n"+
		"opt snapshot=20 trailing=off chunk=100 keeping=3s spares=2 membership=on promote=4")
	p, err := s.stage(Manner{}, "", &Performance{})
	if err != nil || p.world.options != want {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, p.world.options, want)
	}
	_, err = ParseScenario("", "nodes 3\nopt election=100ms")
	const wrong = "line 2, column 1: the options do not fit together: heartbeat 10, electionMin 10"
	if err == nil || !strings.Contains(err.Error(), wrong) {
		t.Errorf("options that contradict each other: %v", err)
	}
}
