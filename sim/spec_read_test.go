package sim

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// writtenRun is a run as a file, in the form in which it is written.
const writtenRun = `{
 "v": 1,
 "seed": "17",
 "opt": {
  "nodes": 3,
  "tick": "10ms",
  "heartbeat": 10,
  "electionMin": 30,
  "electionMax": 50,
  "latency": "1ms",
  "faulty": "5s"
 },
 "script": [
  {"at": "1s", "op": "kill", "n": 1},
  {"at": "2s", "op": "cut", "links": [{"from": 1, "to": 2}]}
 ]
}
`

// Every mistake in a file of a run is one sentence with its place.
func TestMistakesInARunHaveAPlace(t *testing.T) {
	if _, err := ReadSpec([]byte(writtenRun)); err != nil {
		t.Fatalf("the run without a mistake: %v", err)
	}
	names, _ := Profiles()
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", writtenRun, "", "line 1, column 1: the run ends before its end"},
		{"cut short", "\n ]\n}\n", "", "line 15, column 61: the run ends before its end"},
		{"no JSON", `"v": 1,`, `"v" = 1,`, "line 2, column 6: invalid character '=' after object key"},
		{"more than a run", "]\n}\n", "]\n}\n{}", "line 18, column 2: something follows the end of the run"},
		{"version", `"v": 1`, `"v": 2`,
			"line 2, column 7: version 2 of a run is not known here, only 1 is"},
		{"seed", `"17"`, `"x"`, `line 3, column 10: a seed is a number in quotes, as in "17"`},
		{"seed without quotes", `"17"`, `17`, `line 3, column 10: a seed is a number in quotes, as in "17"`},
		{"kind of value", `"nodes": 3`, `"nodes": "three"`,
			"line 5, column 18: opt.nodes cannot be a string"},
		{"unknown member", `"nodes": 3`, `"servers": 3`, `line 4, column 9: unknown field "servers"`},
		{"unknown member of the run", `"v": 1`, `"version": 1`,
			`line 2, column 13: unknown field "version"`},
		{"time", `"10ms"`, `"10 ms"`,
			`line 4, column 9: "10 ms" is no time: write it like 250ms, 1.5s or 2m`},
		{"options", `"nodes": 3`, `"nodes": 16`,
			"line 4, column 9: nodes is 16, it must lie from 1 to 15"},
		{"times", `"latency": "1ms"`, `"latency": "2h"`, "line 4, column 9: latency must be at least 1us, " +
			"no time may be negative, and none of the surroundings above 1h"},
		{"limits", `"nodes": 3`, `"nodes": 3, "segmentBytes": -1`,
			"line 4, column 9: no limit may be negative, and segmentBytes is -1: 512 to 1 GiB"},
		{"profile", `"v": 1,`, `"v": 1, "profile": "storm",`,
			`line 2, column 21: no profile is named "storm"; there are ` + strings.Join(names, ", ")},
		{"operation", `"kill"`, `"murder"`, "line 14, column 3: murder n1: no such operation"},
		{"time of an operation", `"2s"`, `"soon"`,
			`line 15, column 3: "soon" is no time: write it like 250ms, 1.5s or 2m`},
		{"server", `"n": 1`, `"n": 4`, "line 14, column 3: kill n4: there is no n4"},
		{"link", `"to": 2`, `"to": 9`, "line 15, column 3: cut 1→9: there is no link 1→9"},
		{"digest", `"v": 1,`, `"v": 1, "digest": "12",`,
			`line 2, column 20: "12" is no digest of sixteen hexadecimal digits`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadSpec([]byte(strings.Replace(writtenRun, c.old, c.new, 1)))
			if err == nil || err.Error() != c.want {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

// FuzzReadSpec: whatever is in a file, reading it ends in one sentence with a place, or in a run that is
// written and read again as it is, and that can be performed.
func FuzzReadSpec(f *testing.F) {
	f.Add([]byte(writtenRun))
	f.Add(Drawn("chaos", 1).Bytes())
	f.Add([]byte(`{"v":1,"opt":{},"script":[{}]}`))
	f.Add([]byte(`{"v":1,"script":[{"at":"1s"`))
	for _, op := range oneOfEachKind() {
		f.Add(Spec{Version: SpecVersion, Options: tiny(), Script: []Op{op}}.Bytes())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ReadSpec(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("no sentence with a place: %q", err)
			}
			return
		}
		again, err := ReadSpec(s.Bytes())
		if err != nil || !bytes.Equal(s.Bytes(), again.Bytes()) {
			t.Errorf("read again: %v\n%s", err, s.Bytes())
		}
		performABit(t, s)
	})
}

// tiny are three servers and two clients for a moment.
func tiny() Options {
	o := DefaultOptions()
	o.Nodes, o.Clients, o.Faulty, o.Healed = 3, 2, 50*Millisecond, 0
	return o
}

// oneOfEachKind are operations of every kind, in an order in which each finds what it needs.
func oneOfEachKind() []Op {
	links := []Link{{From: 1, To: 2}}
	return []Op{
		{Kind: Propose, Node: 1, Peer: 9, Mode: "put", Key: "k", Text: "v"}, {Kind: Read, Node: 2, Peer: 1},
		{Kind: Slow, Node: 1, Value: maxSlower}, {Kind: ApplySlow, Node: 1, Value: maxSlower},
		{Kind: ApplyPanic, Node: 2}, {Kind: Load, Value: 100}, {Kind: Clock, Node: 1, Value: exact / 2},
		{Kind: Flags, Node: 3, Mode: "prevote"}, {Kind: Timeout, Node: 1}, {Kind: Stall, Node: 2},
		{Kind: Resume, Node: 2}, {Kind: DiskStall, Node: 1, For: Second}, {Kind: DiskFull, Node: 2},
		{Kind: DiskFail, Node: 1, Mode: "write"}, {Kind: DiskOK, Node: 2}, {Kind: Image, Node: 3},
		{Kind: Cut, Links: links}, {Kind: Clog, Links: links, For: Second}, {Kind: Lag, Links: links, For: 1},
		{Kind: Hold, Links: links, Mode: "vote"}, {Kind: Release}, {Kind: Discard}, {Kind: Heal},
		{Kind: Drop, Node: 1, Peer: 2, Nth: 1}, {Kind: Duplicate, Node: 1, Peer: 2, Nth: 2},
		{Kind: Delay, Node: 1, Peer: 2, Nth: 3, For: Second}, {Kind: Corrupt, Node: 1, Peer: 2, Nth: 4},
		{Kind: LoseReply, Node: 1, Nth: 1}, {Kind: Kill, Node: 3}, {Kind: Rot, Node: 3, Mode: "flip"},
		{Kind: Rollback, Node: 3}, {Kind: Wipe, Node: 3}, {Kind: Restart, Node: 3},
	}
}

// performABit performs the first moments of a run that is not too large: whatever a file asks for, nothing
// panics.
func performABit(t *testing.T, s Spec) {
	t.Helper()
	o := &s.Options
	if o.Nodes > 5 || o.Clients > 10 || len(s.Script) > 100 {
		return
	}
	o.Faulty, o.Healed = min(o.Faulty, 50*Millisecond), min(o.Healed, 50*Millisecond)
	s.Script = slices.DeleteFunc(s.Script, func(op Op) bool { return op.At > 50*Millisecond })
	asked := 0
	r, err := Perform(s, Parts{Enough: func() bool { asked++; return asked > 20 }})
	if err != nil || r.Violation != nil && strings.Contains(r.Violation.Sentence, "panics") {
		t.Errorf("%v, %v\n%s", err, r.Violation, s.Bytes())
	}
}

// A run with an operation of every kind is performed.
func TestEveryKindOfOperation(t *testing.T) {
	s := Spec{Version: SpecVersion, Options: tiny(), Script: oneOfEachKind()}
	kinds := map[OpKind]bool{}
	for i := range s.Script {
		s.Script[i].At = Time(i) * Millisecond
		kinds[s.Script[i].Kind] = true
	}
	if len(kinds) != 33 {
		t.Errorf("%d kinds", len(kinds))
	}
	performABit(t, s)
}

// A run that was recorded, with faults of every kind, is the same after it was written and read.
func TestARunComesBackFromItsFile(t *testing.T) {
	for seed := range uint64(5) {
		spec := Drawn("chaos", seed)
		spec.Options.Faulty = 10 * Second
		recorded := perform(t, spec).Spec
		again, err := ReadSpec(recorded.Bytes())
		if err != nil || !reflect.DeepEqual(recorded, again) {
			t.Errorf("seed %d: %v\n%+v\n%+v", seed, err, recorded, again)
		}
	}
}
