package balsa_test

import (
	"fmt"
	"go/ast"
	"strings"
	"testing"
)

// breach is a small house that breaks one rule, and its repaired form that does not.
type breach struct {
	rule      string
	path      string // of the one file
	bad, good string // its text; the package clause is added to Go files that lack one
	want      string // part of the complaint about bad
}

// breaches hold at least one breach of every rule: a check that nobody has seen fail is no check.
var breaches = []breach{
	{"imports", "util/a.go", "", "", "is no room"},
	{"imports", "raft/a.go", `import _ "balsa/wire"`, `import _ "slices"`, "does not let raft use wire"},
	{"imports", "wal/a.go", `import _ "balsa"`, `import _ "balsa/disk"`, "does not let wal use ."},
	{"imports", "transport/tcp/a.go", `import _ "balsa/transport/memory"`, `import _ "balsa/transport"`,
		"does not let"},
	{"imports", "replica/a.go", `import _ "balsa/wal"`, `import _ "balsa/raft"`,
		"does not let replica use wal"},
	{"imports", "wire/a.go", `import _ "github.com/x/y"`, `import _ "encoding/json"`, "names no such module"},
	{"imports", "kv/a.go", `import _ "github.com/tidwall/btreex"`, `import _ "github.com/tidwall/btree"`,
		"no such module"},
	{"imports", "replica/a.go", `import _ "time"`, `import _ "errors"`, "must not touch the world"},
	{"imports", "kv/a.go", `import _ "os"`, `import _ "sync"`, "must not touch the world"},
	{"imports", "chaos/a.go", `import _ "balsa/kv"`, `import _ "balsa/client"`, "does not let chaos use kv"},
	{"imports", "sim/mutants/a.go", `import _ "balsa/lab"`, `import _ "balsa/sim"`,
		"does not let sim/* use lab"},

	{"purity", "raft/a.go", `import _ "os"`, `import _ "cmp"`, "not on the list"},
	{"purity", "raft/a.go", `type t chan int`, `type t []int`, "a channel"},
	{"purity", "raft/a.go", `func f() { make2() <- 1 }`, `func f() { make2() }`, "raft/a.go f"},
	{"purity", "raft/a.go", `func f() { <-make2() }`, `func f() { make2() }`, "a channel"},

	{"statements", "wal/a.go", `func f() { go f() }`, `func f() { f() }`, "a go statement"},
	{"statements", "kv/a.go", `func f() { select {} }`, `func f() { for {} }`, "a select statement"},

	{"map order", "raft/a.go", `func f(m map[int]int) { for range m {} }`,
		`func f(m []int) { for range m {} }`,
		"range over"},
	{"map order", "kv/a.go", `type m map[int]int; type s struct { m m }; func (s s) f() { for range s.m {} }`,
		`type m []int; type s struct { m m }; func (s s) f() { for range s.m {} }`, "kv/a.go s.f"},

	{"floating point", "raft/a.go", `const c = 1.5`, `const c = 15`, "floating point"},
	{"floating point", "raft/a.go", `func f(a float64) {}`, `func f(a int) {}`, "floating point"},

	{"function length", "wire/a.go", "func f() {" + strings.Repeat("\n", 70) + "}",
		"func f() {" + strings.Repeat("\n", 69) + "}",
		"71 lines, at most 70"},
	{"file length", "wire/a.go", strings.Repeat("\n", 399), strings.Repeat("\n", 398),
		"401 lines, at most 400"},
	{"file length", "wire/a_test.go", strings.Repeat("\n", 599), strings.Repeat("\n", 598),
		"601 lines, at most 600"},
	{"struct fields", "wire/a.go", fields("T", 21), fields("T", 20), "21 fields, at most 20"},
	{"struct fields", "raft/a.go", fields("Config", 11), fields("Config", 10), "11 fields, at most 10"},
	{"interface methods", "wire/a.go", "type i interface { a(); b(); c(); d(); e(); f() }",
		"type i interface { a(); b(); c(); d(); e() }", "6 methods, at most 5"},
	{"exported names", "raft/a.go", exports(91), exports(90), "91 exported names"},
	{"line width", "wire/a.go", "//" + strings.Repeat("─", 109), "//" + strings.Repeat("─", 108),
		"111 columns"},
	{"line width", "wire/a.go", "func f() {\n\t//" + strings.Repeat("x", 105) + "\n}",
		"func f() {\n\t//" + strings.Repeat("x", 104) + "\n}", "111 columns"},

	{"sleep", "wire/a_test.go", "func f() { time.Sleep(1) }", "func advance() { time.Sleep(1) }",
		"time.Sleep outside"},
	{"sleep", "transport/transporttest/a.go", `import "testing"; func f(*testing.T) { time.Sleep(1) }`,
		`import "testing"; func eventually(*testing.T) { time.Sleep(1) }`, "time.Sleep outside"},
	{"skip", "wire/a_test.go", "func f() { t.Skip() }", "func f() { t.Fatal() }", "can be skipped"},

	{"doc comments", "wire/a.go", "type T int", "// T is one.\ntype T int", "wire/a.go T"},
	{"doc comments", "wire/a.go", "func F() {}", "// F does.\nfunc F() {}", "without a doc comment"},
	{"doc comments", "wire/a.go", "type t int; func (t) M() {}; func F() {}",
		"type t int; func (t) M() {}", "a.go F"},
	{"doc comments", "wire/a.go", "// T is one.\ntype T int\nfunc (*T) M() {}",
		"// T is one.\ntype T int\nfunc (*T) m() {}",
		"wire/a.go T.M"},
	{"doc comments", "wire/a.go", "const A = 1", "const A = 1 // the first", "wire/a.go A"},
	{"doc comments", "wire/a.go", "// I asks.\ntype I interface { M() }",
		"// I asks.\ntype I interface {\n M() // M answers\n}",
		"wire/a.go I.M"},
	{"doc comments", "wire/a.go", "package wire\n", "// Package wire carries.\npackage wire\n",
		"no doc comment"},

	{"package state", "wire/a.go", "var count int", "const count = 1", "state that groups share"},
	{"package state", "wire/a.go", "var table = []int{1}", "var table = crc32.MakeTable(1)",
		"wire/a.go table"},
	{"package state", "wire/a.go", "var a, b = errors.New(``), 1", "var a, ErrB = errors.New(``), x.ErrB",
		"wire/a.go b"},
	{"package state", "wire/a.go", "var page string", "//go:embed page.html\nvar page string",
		"wire/a.go page"},

	{"leftovers", "docs/a.md", "FIX" + "ME later", "fix it now", "repair it now"},
	{"leftovers", "wire/a.go", "// TO" + "DO: more", "// TO" + "DO(until snapshots exist): more",
		"without a condition"},
	{"places", "docs/a.md", "see /ho" + "me/someone/notes", "see docs/notes and ~/notes",
		"a place of one machine"},
}

func fields(name string, n int) string {
	return "type " + name + " struct {" + strings.Repeat("\n a int", n) + "\n}"
}

func exports(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "const A%d = %d\n", i, i)
	}
	return b.String()
}

// TestRulesComplain shows each rule its breaches and their repaired forms.
func TestRulesComplain(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range breaches {
		for _, r := range rules {
			if r.name != b.rule {
				continue
			}
			seen[r.name] = true
			if got := complaints(t, r.check, b.path, b.bad); !strings.Contains(got, b.want) {
				t.Errorf("%s: %q passes, or is refused for another reason: %q", b.rule, b.bad, got)
			}
			if got := complaints(t, r.check, b.path, b.good); got != "" && b.good != "" {
				t.Errorf("%s: %q is refused: %s", b.rule, b.good, got)
			}
		}
	}
	for _, r := range rules {
		if !seen[r.name] {
			t.Errorf("no breach shows that the rule %q can complain", r.name)
		}
	}
}

func complaints(t *testing.T, check func(*house) []complaint, path, text string) string {
	t.Helper()
	if strings.HasSuffix(path, ".go") && !strings.Contains(text, "package ") {
		text = "// Package p is small.\npackage p\n" + text
		if strings.Count(text, "\n") > maxFile-2 { // the snippets for length count the two lines above
			text = strings.TrimSuffix(text, "\n") + "\n"
		}
	}
	h, err := parseHouse(map[string]string{path: text}, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var b strings.Builder
	for _, c := range check(h) {
		fmt.Fprintf(&b, "%s: %s\n", c.where, c.what)
	}
	return b.String()
}

// TestExceptionsNeedReasons shows that an exception counts for its own rule and place alone, and only with a
// reason.
func TestExceptionsNeedReasons(t *testing.T) {
	e := exceptions[0]
	used := map[string]bool{}
	for _, c := range []struct {
		rule, where string
		want        bool
	}{
		{e.rule, e.where, true},
		{"imports", e.where, false},
		{e.rule, e.where + "x", false},
	} {
		if got := excepted(c.rule, c.where, used); got != c.want {
			t.Errorf("excepted(%q, %q) = %v", c.rule, c.where, got)
		}
	}
	for _, e := range exceptions {
		if len(e.why) < 10 {
			t.Errorf("%s %s: an exception needs its reason", e.rule, e.where)
		}
	}
}

// TestMatchesLeavesOutOtherSystems keeps the type-checked rules from meeting two files that declare the same
// thing for two systems.
func TestMatchesLeavesOutOtherSystems(t *testing.T) {
	file := &ast.File{}
	if matches(&source{path: "kv/a.go", text: "//go:build plan9\n\npackage kv\n", file: file}) {
		t.Error("a file for plan9 matches")
	}
	if !matches(&source{path: "kv/a.go", text: "package kv\n", file: file}) {
		t.Error("a file for every system does not match")
	}
}
