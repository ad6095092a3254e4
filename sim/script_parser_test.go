package sim

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"balsa/raft"
)

// acts are what the statements say, without their places.
func acts(s *Scenario) (all []act) {
	for _, statement := range s.Statements {
		all = append(all, statement.act)
	}
	return all
}

func parsed(t *testing.T, text string) *Scenario {
	t.Helper()
	s, err := ParseScenario("", text)
	if err != nil {
		t.Fatalf("%v, in\n%s", err, text)
	}
	return s
}

// Every form of the language, as people write it and as it is printed. An empty right side means the same.
var forms = []struct{ text, printed string }{
	{"nodes 5\nseed 0x10", "nodes 5\nseed 16"},
	{"opt prevote = off  latency=10ms election=300ms..500ms",
		"opt prevote=off latency=10ms election=300ms..500ms"},
	{"run 0.05s", "run 50ms"},
	{"run until leader = 1 within 2s", "run until leader = n1 within 2s"},
	{"run until some leader and leaders=1", "run until some leader and leaders = 1"},
	{"kill n3 n1;restart all", "kill n1 n3;  restart all"},
	{"timeout 2; stall n1; resume n1; wipe n1; image n1; rollback n1; focus n2",
		"timeout n2;  stall n1;  resume n1;  wipe n1;  image n1;  rollback n1;  focus n2"},
	{"disk n1 lose-unsynced", ""},
	{"clock n1 rate=0.5 jump=1s", ""},
	{"clock n1 rate=2", ""},
	{"leases drift=0.20; leases off; leases drift=0.000001",
		"leases drift=0.2;  leases off;  leases drift=0.000001"},
	{"read @ann at n1 lease x", ""},
	{"apply n1 slow=100; apply n1 panic; apply n1 ok", "apply n1 slow=100;  apply n1 panic;  apply n1 ok"},
	{"propose put x 1", ""},
	{`propose @ann to n2 put "two words" "a;b"`, ""},
	{`propose put " " "#"`, ""},
	{"propose @ann delete x", ""},
	{"session @ann open; session @ann open to n2 ttl = 1m; session @ann close",
		"session @ann open;  session @ann open to n2 ttl=1m;  session @ann close"},
	{"propose @ann to n1 number 3 increment x; propose under order-7 put x 1",
		"propose @ann to n1 number 3 increment x;  propose under order-7 put x 1"},
	{"propose @ann under \"a b\" ttl=2s delete x; expect answer @ann = replayed and answer @bob = gone",
		"propose @ann under \"a b\" ttl=2s delete x;  expect answer @ann = replayed and answer @bob = gone"},
	{"read x", "read linearizable x"},
	{"read @ann at n1 stale x", ""},
	{"read stale", "read linearizable stale"},
	{"cut n2 n1 | n3", "cut n1 n2 | n3"},
	{"cut n1 -> all; heal; heal n1 -> n2", "cut n1 -> all;  heal;  heal n1 -> n2"},
	{"hold n1 -> n2 n3 type = append|vote-response", "hold n1 -> n2 n3 type=append|vote-response"},
	{"hold all->n1; release; release n1->n2; drop held",
		"hold all -> n1;  release;  release n1 -> n2;  drop held"},
	{"drop n1 -> n2; dup n1 -> n2 by=1s type=entries; delay n1 -> n2 by=2s",
		"drop n1 -> n2;  dup n1 -> n2 type=entries by=1s;  delay n1 -> n2 by=2s"},
	{`say "hello \"you\""; let n1 = leader`, `say "hello \"you\"";  let n1 = leader`},
	{`predict "Who?" answer "n1" leader = n1 answer "n2" leader = n2 # so`,
		"predict \"Who?\"\n    answer \"n1\" leader = n1\n    answer \"n2\" leader = n2  # so"},
	{"predict \"Is it?\"\n\tanswer leader = n1\n\n\nkill n1",
		"predict \"Is it?\" answer leader = n1\n\nkill n1"},
	{`predict "Is it?" answer commit(n1) >= 2`, `predict "Is it?" answer commit n1 >= 2`},
	{"expect not commit n1 < 2 why CommitHeld.OldTerm", ""},
	{"expect why Appended and not why CommitHeld and why VoteGranted",
		"expect why Appended and not why CommitHeld why VoteGranted"},
	{"expect role n2 = pre-candidate and vote n3 = none and vote n3 = n1", ""},
	{"expect up n1 and down(n2) and term n1 > term n2", "expect up n1 and down n2 and term n1 > term n2"},
	{"expect match n1 n2 = 2 and log(n1 2) = 3 and log n1 2 != log n2 2",
		"expect match n1 n2 = 2 and log n1 2 = 3 and log n1 2 != log n2 2"},
	{"expect value all k = v and no value n1 k", ""},
	{"expect answer @ann = ok and saw @ann = v and saw @bob nothing", ""},
	{"expect why n2 VoteDenied and why PeerRefused.OtherIncarnation",
		"expect why n2 VoteDenied why PeerRefused.OtherIncarnation"},
	{"expect violations none; expect violation OneVote", "expect violations none;  expect violation OneVote"},
	{"# (a) here\nkill n1 # why\nlabel (b)\n\n\n\nbranch \"x\" from (a)",
		"# (a) here\nkill n1  # why\nlabel (b)\n\nbranch \"x\" from (a)"},
	{"with mutant commit-old-term : expect violation LeaderCompleteness",
		"with mutant commit-old-term: expect violation LeaderCompleteness"},
	{"with mutant no-step-back: expect failure;  settle", ""},
	{"opt spares=2; join n4 n5; member add n5 n4", "opt spares=2;  join n4 n5;  member add n4 n5"},
	{"member @ops at n2 force remove n1 auto off demote n3 update n1",
		"member @ops at n2 demote n3 remove n1 update n1 auto off force"},
	{"member promote n1;  member auto on", ""},
	{"transfer;  transfer @ops to n2;  transfer @ops at n1 to n2", ""},
	{"opt spares=1;  image n1;  clone n1 as n4;  stray n4 at n2", ""},
	{"move n1 to 2 told", "move n1 to n2 told"},
	{"move n1 to east-1;  move n1 to \"far away\" told", ""},
	{"expect voters n1=n2 1 and members all = n1 and outgoing n1 = none and learners all = none",
		"expect voters n1 = n1 n2 and members all = n1 and outgoing n1 = none and learners all = none"},
	{"expect joint n1 and not changing(n2) and answer @ops = refused ChangeOpen and not answer @ops = no",
		"expect joint n1 and not changing n2 and answer @ops = refused ChangeOpen and not answer @ops = no"},
	{"#\n#(a)  x\n# (a)b", "#\n# (a) x\n# (a)b"},
	{"\r\n\tkill n1\r\n", "kill n1"},
}

func TestScriptForms(t *testing.T) {
	for _, form := range forms {
		want := form.printed
		if want == "" {
			want = form.text
		}
		s := parsed(t, form.text)
		if got := strings.TrimSuffix(s.String(), "\n"); got != want {
			t.Errorf("%q\nis printed %q\nnot        %q", form.text, got, want)
		}
		if again := parsed(t, s.String()); !reflect.DeepEqual(acts(again), acts(s)) {
			t.Errorf("%q is printed as %q, which means something else", form.text, s.String())
		}
	}
}

// Every error is one sentence with its place.
func TestScriptErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"kill n1\nkil n2", `line 2, column 1: there is no operation "kil" (perhaps kill is meant); ` +
			`known operations are apply, branch`},
		{"frobnicate", `line 1, column 1: there is no operation "frobnicate"; known`},
		{"-> n1", `column 1: a statement begins with an operation, not with "->"; known operations are`},
		{"  kill n7", `column 8: there is no node "n7": the nodes are n1 to n3`},
		{"nodes 5; kill n0", "there is no node"},
		{"kill", "line 1, column 5: here a node must stand, like n1, not the end of the statement"},
		{"kill n1 n1", `column 9: node "n1" is named twice`},
		{"kill leader", `here a node must stand, like n1, not "leader"`},
		{"nodes 12", "a cluster of \"12\" nodes is not to be had"},
		{"kill n1; nodes 5", "column 10: nodes must stand before the first statement that makes something"},
		{"opt prevot=off", `here the name of an option must stand, one of tick,`},
		{"opt prevot=off", `(perhaps prevote is meant)`},
		{"opt prevote=maybe", `column 13: "maybe" is neither off nor on`},
		{"opt batch=1 batch=2", "option batch is given twice"},
		{"run fast", `here how long to run, or ` + "`until`" + `, must stand, like 250ms`},
		{"run until leader = n1 within", "here how long to wait at most must stand"},
		{"run 25h", `"25h" is too long`},
		{"run until happy", `a condition begins with one of leader,`},
		{"run until leadr = n1", `(perhaps leader is meant)`},
		{"run until commit n1 ~ 2", `here one of = != < <= > >= must stand, not "~"`},
		{"cut n1", "a cut has two sides"},
		{"cut n1 n2 | n2", "n2 stands on two sides"},
		{"cut all | n2", "all on one side"},
		{"cut n1 -> n1", "a node has no link to itself"},
		{"hold n1 n2", `here "->" must stand, not the end of the statement`},
		{"hold n1 -> n2 typ=append", `"typ" does not belong here: write hold`},
		{"hold n1 -> n2 type=apend", `(perhaps append is meant)`},
		{"delay n1 -> n2", "a delay needs by="},
		{"release n1 -> n2 type=append", `"type" does not belong here`},
		{"disk n1 explode", "here what becomes of the disk must stand, one of stall, fail"},
		{"leases drift=0.3", "here the drift of clocks must stand, up to 0.2, not"},
		{"clock n1 rate=0", "the rate of a clock must stand, from 0.01 to 100"},
		{"propose number 0 put x 1", "the commands of a session are numbered from 1"},
		{"propose under \"\" put x 1", "a key has 1 to 128 bytes"},
		{"session @ann open ttl=0s", "nothing lasts for no time"},
		{"session open", "here a client must stand"},
		{"session @ann renew", "open, close"},
		{"propose get x", "here a command must stand, one of put, delete, increment"},
		{"propose put x", "here a value must stand, not the end of the statement"},
		{"propose put x y z", `the statement should end before "z"`},
		{"read lazily x", "here linearizable, lease, leader, stale or only a key must stand"},
		{"say hello", `here what is said must stand in "quotes"`},
		{`say "hello`, "column 5: the text in quotes does not end on its line"},
		{`say "\q"`, "an escape that is not one"},
		{`predict "?"`, "here `answer` and a condition must stand"},
		{`predict "?" answer "a" leader = n1`, "one answer has no name"},
		{"expect why CommitHold", `(perhaps CommitHeld is meant)`},
		{"expect why CommitHeld.OldTrem", `"OldTrem" is no reason (perhaps OldTerm is meant)`},
		{"expect violation LeaderCompletness", `(perhaps LeaderCompleteness is meant)`},
		{"label (a)\nlabel (a)", "line 2, column 7: the name (a) is taken"},
		{"branch \"e\" from (c)", "there is no point (c) before this line: name it with label (c)"},
		{"# (a)\nbranch \"e\" from (c)", "its points are (a)"},
		{"with mutant X: expect violation OneVote", "here the name of a mutant must stand"},
		{"mutant x", "to switch a rule off comes with the lab"},
		{"kill n1 \xff", "line 1, column 9: the script is not text in UTF-8"},
		{"läuft", "column 1: there is no operation"},
		{"say \"ä\" x", `column 9: the statement should end before "x"`},
		{strings.Repeat("x", maxScript+1), "at most"},
	} {
		misread(t, c.text, c.want)
	}
}

// misread demands that the parser refuses a text in one sentence that says something.
func misread(t *testing.T, text, want string) {
	t.Helper()
	_, err := ParseScenario("", text)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%.60q:\n got %v\nwant %s", text, err, want)
	}
}

// The names of decisions and reasons are those that raft has: a new one, or one in another place, shows here.
func TestDecisionNames(t *testing.T) {
	source, err := os.ReadFile("../raft/events.go")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(source), "granted ")
	list, _, _ = strings.Cut(list, ")\n\n//")
	var names []string
	for _, line := range strings.Split(list, "\n")[1:] {
		if word, _, found := strings.Cut(strings.TrimSpace(line), " "); found {
			names = append(names, word)
		}
	}
	if !reflect.DeepEqual(names, raftReasons()) {
		t.Errorf("raft has the reasons\n%v\nscripts have\n%v", names, raftReasons())
	}
	for _, name := range eventNames() {
		if name != "PeerRefused" && !strings.Contains(string(source), "\t"+name+" struct") {
			t.Errorf("raft has no event %s", name)
		}
	}
	n := strings.Count(string(source), " struct{") + strings.Count(string(source), " struct {")
	if n != len(eventNames())-1 {
		t.Errorf("raft has %d events, scripts have %d", n, len(eventNames())-1)
	}
	event, reason := decision(raft.CommitHeld{Why: raft.OldTerm})
	if event != "CommitHeld" || reason != "OldTerm" {
		t.Errorf("CommitHeld of OldTerm is named %s.%s", event, reason)
	}
}

// FuzzScript: no text makes the parser panic, and what it accepts it prints so that it means the same.
func FuzzScript(f *testing.F) {
	for _, form := range forms {
		f.Add(form.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseScenario("", text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n") {
				t.Errorf("not one sentence: %v", err)
			}
			return
		}
		printed := s.String()
		again, err := ParseScenario("", printed)
		if err != nil {
			t.Fatalf("%q is printed as %q: %v", text, printed, err)
		}
		if !reflect.DeepEqual(acts(again), acts(s)) || again.String() != printed {
			t.Fatalf("%q is printed as %q, which means something else or is printed as %q", text, printed,
				again.String())
		}
	})
}
