package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"balsa/sim"
)

// Each mistake in a command line of sim is one sentence, and nothing is written.
func TestMistakesOfSimAreSentences(t *testing.T) {
	names, _ := sim.Profiles()
	const seeRun = "see balsa sim run --help"
	const noFile = " is a device or a pipe: write what it says to a file first"
	for _, c := range []struct {
		args string
		want string
	}{
		{"sim race", `unknown command "race" of sim: write run, replay or shrink`},
		{"sim run now", `balsa sim run takes no arguments, but there is "now": see balsa help sim run`},
		{"sim run --seeds x", `--seeds: "x" is no range of seeds: write FIRST..LAST, as in 1..1000`},
		{"sim run --seeds 1..", `--seeds: "1.." is no range of seeds: write FIRST..LAST, as in 1..1000`},
		{"sim run --seeds -1..4", `--seeds: "-1..4" is no range of seeds: write FIRST..LAST, as in 1..1000`},
		{"sim run --seeds 9..1", `--seeds: "9..1" ends before it begins: write the smaller seed first`},
		{"sim run --seeds 0..0xffffffffffffffff",
			`--seeds: "0..0xffffffffffffffff" is one seed more than can be counted: leave one out`},
		{"sim run --profile storm", `--profile is "storm": write one of ` + strings.Join(names, ", ")},
		{"sim run --nodes 16", "--nodes is 16: choose 1 to 15"},
		{"sim run --duration soon", `--duration: "soon" is no time: write it like 250ms, 1.5s or 2m`},
		{"sim run --duration -1s", "--duration is -1s: give a time above zero"},
		{"sim run --duration 0s", "--duration is 0s: give a time above zero"},
		{"sim run --duration 2000h", "faulty is 2000h, at most 1000h, and healed 30s, at most 1h"},
		{"sim run --nodes 0", "--nodes is 0: choose 1 to 15"},
		{"sim run --nodes x", `"x" is no value for --nodes: choose 1 to 15: ` + seeRun},
		{"sim run --time 0s", "--time is 0s: give a duration above zero"},
		{"sim run -j 0", "-j is 0: choose 1 to 1024"},
		{"sim run -j 99999999999999999999", `"99999999999999999999" is no value for --jobs: ` +
			`choose 1 to 1024: ` + seeRun},
		{"sim replay 1 --profile calm --nodes 0", "--nodes is 0: choose 1 to 15"},
		{"sim replay nowhere --nodes 0",
			"--profile, --nodes and --duration belong to a seed: nowhere says itself what it is"},
		{"sim replay " + os.DevNull, os.DevNull + noFile}, {"sim shrink " + os.DevNull, os.DevNull + noFile},
		{"sim run -o xml", `-o is "xml": write table, json or plain`},
		{"sim replay", "write balsa sim replay SEED|FILE: see balsa help sim replay"},
		{"sim replay 17", "--profile is missing: seed 17 is another run in each profile"},
		{"sim replay nowhere", `"nowhere" is neither a seed nor a file`},
		{"sim replay .", ". is a directory: name a file in it"},
		{"sim replay nowhere.balsa", `"nowhere.balsa" is neither a seed nor a file`},
		{"sim replay nowhere --profile chaos",
			"--profile, --nodes and --duration belong to a seed: nowhere says itself what it is"},
		{"sim replay 1 --profile calm --events 9..1",
			`--events: "9..1" is no range of events: write FROM..TO, as in 1200..1300`},
		{"sim replay 1 --profile calm --why Because.",
			"--why belongs to --save-as-test: add that, or leave it out"},
		{"sim replay 1 --profile calm --save-as-test",
			`--why is "": say in one sentence what was wrong, with a full stop`},
		{"sim replay 1 --profile calm --save-as-test --why Because.",
			"--save-as-test finds no sim/testdata here: call it at the root of balsa's sources"},
		{"sim replay 1 --profile calm --time 0s", "--time is 0s: give a duration above zero"},
		{"sim shrink", "write balsa sim shrink FILE: see balsa help sim shrink"},
		{"sim shrink nowhere", `"nowhere" is neither a seed nor a file`},
		{"sim shrink nowhere --time 0s", "--time is 0s: give a duration above zero"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			got := command(t, "", strings.Fields(c.args)...)
			if got.status != exitUsage || got.err != "balsa: "+c.want+"\n" || got.out != "" {
				t.Errorf("status %d, stdout %q, stderr\n%swant status 2 and\n%s", got.status, got.out,
					got.err, c.want)
			}
			if left, _ := os.ReadDir("."); len(left) > 0 {
				t.Errorf("a refused command left %v behind", left)
			}
		})
	}
}

// A file that is no run is refused with the place, by every verb that reads one.
func TestFilesThatAreNoRuns(t *testing.T) {
	t.Chdir(t.TempDir())
	for file, text := range map[string]string{
		"run.balsa.json": `{"v": 1, "script": [{"op": "kill"}]}`, "story.balsa": "nodes 3\nfrobnicate n1\n",
		"list.balsa.json": "[]", "blank.balsa": "\n", "still.balsa": "# Nothing happens\nnodes 3\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"sim replay run.balsa.json":  "run.balsa.json: line 1, column 21: kill: there is no n0",
		"sim shrink run.balsa.json":  "run.balsa.json: line 1, column 21: kill: there is no n0",
		"sim replay story.balsa":     "story.balsa, line 2, column 1: ",
		"sim replay list.balsa.json": "list.balsa.json: line 1, column 1: a run cannot be an array",
		"sim replay blank.balsa":     "blank.balsa, line 1, column 1: in this story no time passes",
		"sim replay still.balsa":     "still.balsa, line 1, column 1: in this story no time passes",
	} {
		got := command(t, "", strings.Fields(args)...)
		if got.status != exitUsage || !strings.HasPrefix(got.err, "balsa: "+want) ||
			strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: status %d, %q", args, got.status, got.err)
		}
	}
}

// hunted is the object that sim prints, as far as others rest on it.
type hunted struct {
	Seeds      int
	Violations []struct {
		Seed     uint64
		Property string
		Sentence string
		P, T     uint64
		File     string
	}
	Digest           string
	SimulatedSeconds float64
	CPUSeconds       float64
	Ratio            float64
	Events           uint64
	Faults           map[string]struct {
		Times uint64
		Seeds int
	}
	Stopped string
	Same    string
}

func simulate(t *testing.T, status int, args string) (hunted, result) {
	t.Helper()
	got := command(t, "", strings.Fields(args+" -o json")...)
	var h hunted
	if err := json.Unmarshal([]byte(got.out), &h); err != nil || got.status != status {
		t.Fatalf("balsa %s: status %d, %v, stdout %q, stderr %q", args, got.status, err, got.out, got.err)
	}
	return h, got
}

// What many seeds come to does not depend on how many are run at once.
func TestAHuntIsTheSameHoweverManyWorkers(t *testing.T) {
	t.Chdir(t.TempDir())
	const line = "sim run --profile chaos --seeds 3..14 --duration 5s --nodes 3"
	one, _ := simulate(t, exitOK, line+" -j 1")
	four, _ := simulate(t, exitOK, line+" -j 4")
	if one.Digest != four.Digest || one.Events != four.Events || one.Seeds != 12 || four.Seeds != 12 {
		t.Errorf("one worker: %+v, four: %+v", one, four)
	}
	if one.SimulatedSeconds < 12*5 || one.CPUSeconds <= 0 || one.Ratio <= 0 || len(one.Faults) < 20 {
		t.Errorf("%+v", one)
	}
	if len(one.Violations) > 0 || one.Faults["restart"].Seeds == 0 {
		t.Errorf("%+v", one)
	}
	replay, _ := simulate(t, exitOK, "sim replay 3 --profile chaos --duration 5s --nodes 3")
	again, _ := simulate(t, exitOK, "sim run --profile chaos --seeds 3 --duration 5s --nodes 3")
	if replay.Events != again.Events || replay.Seeds != 1 {
		t.Errorf("seed 3 is one run when hunted and another when replayed: %+v, %+v", again, replay)
	}
}

// A hunt that is stopped says what it knows, and that it was stopped.
func TestAHuntThatIsStopped(t *testing.T) {
	t.Chdir(t.TempDir())
	const line = "sim run --profile calm --seeds 1..1000000 --duration 5s -j 2 --time "
	patience := "1s"
	if command(t, "", strings.Fields(line+patience)...).status != exitOK {
		patience = "20s" // the machine is so busy that the first seed takes longer than a second
	}
	h, got := simulate(t, exitOK, line+patience)
	if h.Stopped != "--time is over" || h.Seeds == 0 || h.Seeds == 1000000 {
		t.Errorf("%+v, %s", h, got.err)
	}
	h, got = simulate(t, exitError, "sim run --profile calm --seeds 1 --duration 1000h --time 100ms")
	if h.Seeds != 0 || !strings.Contains(got.err, "no seed has come to its end") {
		t.Errorf("%+v, %s", h, got.err)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err strings.Builder
	status := run(interrupted, strings.Fields("sim run --seeds 1..9"), &console{out: &out, err: &err})
	if status != exitError || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("status %d, %s%s", status, out.String(), err.String())
	}
}

// beyond is a run that no Raft survives: two of three disks are replaced by empty ones.
func beyond() sim.Spec {
	spec := sim.Drawn("calm", 7)
	spec.Options.Nodes, spec.Options.Faulty, spec.Options.Healed = 3, 4*sim.Second, 10*sim.Second
	for n, id := range []uint64{1, 2} {
		at := sim.Time(n+1) * sim.Second
		for i, kind := range []sim.OpKind{sim.Kill, sim.Wipe, sim.Restart} {
			op := sim.Op{At: at + sim.Time(i)*sim.Millisecond, Kind: kind}
			op.Node++
			for range id - 1 {
				op.Node++
			}
			spec.Script = append(spec.Script, op)
		}
	}
	for i := range 20 {
		at := sim.Time(i) * 100 * sim.Millisecond
		spec.Script = append(spec.Script, sim.Op{At: at, Kind: sim.Clog, For: 1,
			Links: []sim.Link{{From: 1, To: 3}}})
	}
	return spec
}

// A run with a violation goes all the way: it is told of and written down, replayed, shrunk, replayed again,
// and kept as a test; and a run of another program is not taken for the recorded one.
func TestFromAViolationToATest(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("sim/testdata", 0o700); err != nil {
		t.Fatal(err)
	}
	recorded, err := sim.Perform(beyond(), sim.Parts{})
	if err != nil || recorded.Violation == nil {
		t.Fatalf("%v, %v", recorded.Violation, err)
	}
	s := newSummary("chaos", seedRange{7, 7})
	s.add(ended{seed: 7, result: recorded})
	var told strings.Builder
	c := &console{out: &told, err: &told}
	s.reports(c, &told)
	const file = failures + "/chaos-7.balsa.json"
	for _, want := range []string{"VIOLATION in seed 7", string(recorded.Violation.Property),
		"26 interventions", "replay:  balsa sim replay " + file, "smaller: balsa sim shrink " + file} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%q is not told in\n%s", want, &told)
		}
	}

	h, _ := simulate(t, exitViolation, "sim replay "+file)
	if len(h.Violations) != 1 || h.Violations[0].File != file ||
		h.Same != "the recorded run, event by event" ||
		h.Violations[0].Property != string(recorded.Violation.Property) || h.Violations[0].Seed != 7 ||
		h.Digest != recorded.Digest.String() {
		t.Errorf("%+v", h)
	}
	small := command(t, "", "sim", "shrink", file)
	if small.status != exitOK || !strings.HasPrefix(small.out, "26 → ") {
		t.Fatalf("status %d, %s%s", small.status, small.out, small.err)
	}
	smaller := strings.TrimSuffix(file, ".balsa.json") + ".min.balsa.json"
	shrunk, err := readRun(smaller)
	if err != nil || len(shrunk.Script) > 6 || shrunk.Options.Clients > 0 {
		t.Errorf("%d operations are left with %d clients, %v: %v", len(shrunk.Script), shrunk.Options.Clients,
			err, shrunk.Script)
	}
	kept := command(t, "", "sim", "replay", smaller, "--save-as-test", "--why", "Disks were wiped.")
	spec, err := readRun(filepath.Join(keptRuns, "chaos-7.min.balsa.json"))
	if kept.status != exitViolation || err != nil || spec.Why != "Disks were wiped." {
		t.Errorf("status %d, %v, %q, %s%s", kept.status, err, spec.Why, kept.out, kept.err)
	}

	recorded.Spec.Digests[2]++
	recorded.Spec.Digest, recorded.Spec.Core = 1, "v0.0.1"
	if err := writeRun("other.balsa.json", recorded.Spec); err != nil {
		t.Fatal(err)
	}
	h, _ = simulate(t, exitViolation, "sim replay other.balsa.json")
	if want := "made with core v0.0.1; this run, of core " + core() + ", is the same up to event 512, and " +
		"another one by event 768"; h.Same != want {
		t.Errorf("%s\nwant %s", h.Same, want)
	}
}

// The last events before a violation are shown with the decisions, and a window shows what was asked for.
func TestWhatAReplayShows(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := writeRun("run.balsa.json", beyond()); err != nil {
		t.Fatal(err)
	}
	last := command(t, "", "sim", "replay", "run.balsa.json")
	if n := strings.Count(last.out, "\ne"); n != lastEvents-1 || !strings.Contains(last.out, " decided ") {
		t.Errorf("%d lines:\n%s", n, last.out)
	}
	window := command(t, "", "sim", "replay", "run.balsa.json", "--events", "100..120")
	if n := strings.Count(window.out, "\ne"); !strings.HasPrefix(window.out, "e100 ") || n < 20 || n > 60 {
		t.Errorf("%d lines:\n%s", n, window.out)
	}
}

// A scenario is replayed as it is; one that does not come true is a violation.
func TestAScenarioIsReplayed(t *testing.T) {
	h, _ := simulate(t, exitOK, "sim replay ../../sim/testdata/scenarios/figure8.balsa")
	if h.Seeds != 1 || h.Events == 0 {
		t.Errorf("%+v", h)
	}
	file := filepath.Join(t.TempDir(), "wrong.balsa")
	text := "nodes 3\nrun until term n1 > 0\nexpect term n1 > 100\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h, got := simulate(t, exitViolation, "sim replay "+file)
	if len(h.Violations) != 1 || h.Violations[0].Property != string(untold) ||
		!strings.Contains(got.err, "line 3, column 1") {
		t.Errorf("%+v, %s", h, got.err)
	}
}

// A story that is stopped says how far it came, and that nobody knows the rest.
func TestAStoryThatIsStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "long.balsa")
	if err := os.WriteFile(file, []byte("nodes 9\nrun 24h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, got := simulate(t, exitError, "sim replay --time 100ms "+file)
	if h.Stopped != "--time is over" || h.Seeds != 0 || len(h.Violations) != 0 || h.Events == 0 ||
		!strings.Contains(got.err, fmt.Sprintf("nothing is known of what comes after event %d", h.Events)) {
		t.Errorf("%+v, %s", h, got.err)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err strings.Builder
	status := run(interrupted, []string{"sim", "replay", file}, &console{out: &out, err: &err})
	if status != exitError || !strings.Contains(out.String(), "no violation until it was stopped") ||
		!strings.HasPrefix(err.String(), "balsa: interrupted: nothing is known") {
		t.Errorf("status %d, %s%s", status, out.String(), err.String())
	}
}

// A file that does not end where its size says is not read for ever.
func TestReadingEnds(t *testing.T) {
	if text, err := readAtMost(strings.NewReader("abc"), 3); string(text) != "abc" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := readAtMost(strings.NewReader("abcd"), 3); err == nil ||
		err.Error() != "it has more than 3 bytes: no run needs so many" {
		t.Error(err)
	}
}

// What a run that somebody wrote by hand does not say is called unknown, and once is not "1 times".
func TestSmallWordsOfSim(t *testing.T) {
	spec := sim.Spec{Seed: 7, Options: sim.DefaultOptions(), Violation: &sim.Violation{}}
	var b strings.Builder
	new(console).report(&b, spec, "")
	want := "    core unknown · 5 nodes · profile none · event 0 · 0 interventions\n"
	if !strings.Contains(b.String(), want) {
		t.Errorf("%q\nwant %q", b.String(), want)
	}
	rows := seenKinds{"cut": {1, 1}, "heal": {2, 1}}.rows("faults")
	if rows[1][1] != "once in 1 seed" || rows[2][1] != "2 times in 1 seed" {
		t.Error(rows)
	}
}
