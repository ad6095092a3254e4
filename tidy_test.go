package balsa_test

import (
	"fmt"
	"strings"
	"testing"
)

// This file is the law of the house as data: who may import whom, what a room must not contain, how large a
// thing may grow, and which named thing may break which rule, and why. tidy_rules_test.go holds the rules,
// tidy_source_test.go reads the sources, and tidy_snippets_test.go shows each rule a breach and waits for its
// complaint.

// room is one folder of the house. A folder with Go files that is not in the table is a breach.
type room struct {
	folder string // a trailing /* stands for each folder right below
	may    string // the rooms of ours that it may import
	from   string // the modules of others that it may import, as prefixes of import paths; none unless named
	not    string // packages of the standard library that it must not import
}

// world is what a room must not touch that neither knows time nor acts.
const world = "os os/exec net net/http time sync log log/slog math/rand math/rand/v2 crypto/rand " +
	"syscall unsafe"

var rooms = []room{
	{folder: ".", may: "raft replica wire wal snapshot disk transport transport/*"},
	{folder: "raft", may: "", not: world},
	{folder: "disk", may: ""},
	{folder: "client", may: ""},
	{folder: "wire", may: "raft", not: world},
	{folder: "kv", may: "raft", from: "github.com/tidwall/btree",
		not: strings.ReplaceAll(world, "sync ", "")},
	{folder: "wal", may: "raft wire disk", not: "net net/http time log log/slog math/rand unsafe"},
	{folder: "snapshot", may: "raft wire disk", not: "net net/http time log log/slog math/rand unsafe"},
	{folder: "replica", may: "raft", not: world},
	{folder: "transport", may: "raft"},
	{folder: "transport/*", may: "raft wire transport"},
	{folder: "httpapi", may: "raft . kv client", from: "github.com/prometheus/client_golang"},
	{folder: "redisapi", may: "raft . kv client", from: "github.com/tidwall/redcon"},
	{folder: "sim", may: "raft wire wal snapshot replica disk kv",
		from: "github.com/anishathalye/porcupine", not: "time net net/http math/rand crypto/rand"},
	{folder: "sim/*", may: "raft wire wal snapshot replica disk kv sim"},
	{folder: "lab", may: "raft sim"},
	{folder: "learn/*", may: ". kv client sim/simtest"},
	{folder: "examples/*", may: ". kv client sim/simtest"},
	{folder: "chaos", may: "client", from: "github.com/anishathalye/porcupine"},
	{folder: "cmd/balsa", may: "*", from: "github.com/spf13 github.com/lmittmann/tint " +
		"github.com/pelletier/go-toml/v2 golang.org/x/term " +
		"github.com/klauspost/compress/zstd github.com/HdrHistogram/hdrhistogram-go " +
		"github.com/vbauerster/mpb/v8"},
}

// pure lists the packages of the standard library that raft may import: values in, values out.
const pure = "bytes cmp crypto/sha256 encoding/binary encoding/hex errors fmt hash hash/crc32 hash/fnv " +
	"iter maps math math/bits slices sort strconv strings unicode/utf8"

// The rooms that the rules about statements and types look at; their test files are exempt.
var (
	withoutGo       = words("raft replica wal snapshot disk wire kv sim") // no go, no select statement
	withoutMapOrder = words("raft replica sim kv")                        // no range over a map
	withoutFloats   = words("raft")
	reportComments  = words("raft wire wal")
)

// Budgets. Widths count a tab as four columns.
const (
	maxFunction      = 70 // lines
	maxFile          = 400
	maxTestFile      = 600
	maxFields        = 20 // of a struct
	maxMethods       = 5  // written out in an interface; embedded ones have their own budget
	maxExported      = 90 // names at package level of raft, events.go aside
	maxConfigFields  = 10 // of raft.Config
	maxWidth         = 110
	columnsOfATab    = 4
	commentsAtLeast  = 20 // percent, reported only
	commentsAtMost   = 35
	helpersThatSleep = "advance eventually Eventually"
)

// exceptions are the breaches that stand, each with its reason. One that no longer occurs is a breach itself.
var exceptions = []struct{ rule, where, why string }{
	{"map order", "raft/configuration.go NewConfiguration",
		"what it collects is sorted before it is returned"},
	{"struct fields", "config.go Config",
		"a table of settings: each stands for itself, and to group them would only make users write more"},
	{"exported names", "raft",
		"repair has two messages of its own, and a server's status says how far it has come"},
	{"struct fields", "raft/core.go Config",
		"a lease is promised in ticks and measured by the clock, so the core must know how long a tick is"},
	{"function length", "cmd/balsa/usage_test.go TestMistakesAreSentences",
		"a table: one line for each mistake"},
}

// rules are all of them. Each takes the house as parsed and returns what is wrong with it.
var rules = []struct {
	name  string
	check func(*house) []complaint
}{
	{"imports", checkImports},
	{"purity", checkPurity},
	{"statements", checkStatements},
	{"map order", checkMapOrder},
	{"floating point", checkFloats},
	{"function length", checkFunctionLength},
	{"file length", checkFileLength},
	{"struct fields", checkStructFields},
	{"interface methods", checkInterfaceMethods},
	{"exported names", checkExportedNames},
	{"line width", checkLineWidth},
	{"sleep", checkSleep},
	{"skip", checkSkip},
	{"doc comments", checkDocComments},
	{"package state", checkPackageState},
	{"leftovers", checkLeftovers},
	{"places", checkPlaces},
}

// TestTidy holds the whole repository to the rules.
func TestTidy(t *testing.T) {
	h, err := readHouse(".")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, r := range rules {
		t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) {
			for _, c := range r.check(h) {
				if excepted(r.name, c.where, used) {
					continue
				}
				t.Errorf("%s: %s", c.where, c.what)
			}
		})
	}
	for _, e := range exceptions {
		if !used[e.rule+"\x00"+e.where] {
			t.Errorf("the exception %q for %s is no longer needed: remove it", e.rule, e.where)
		}
	}
	for _, room := range reportComments {
		t.Log(h.commentShare(room))
	}
}

func excepted(rule, where string, used map[string]bool) bool {
	for _, e := range exceptions {
		if e.rule == rule && e.where == where && e.why != "" {
			used[rule+"\x00"+where] = true
			return true
		}
	}
	return false
}

// commentShare says how much of a room is comment. It is a report and not a rule: a share can be met by bad
// comments.
func (h *house) commentShare(room string) string {
	lines, comments := 0, 0
	for _, s := range h.in(room) {
		lines += s.lines()
		for _, group := range s.file.Comments {
			comments += h.line(group.End()) - h.line(group.Pos()) + 1
		}
	}
	if lines == 0 {
		return room + ": empty"
	}
	return fmt.Sprintf("%s: %d of %d lines are comments, %d %% (%d to %d wanted)",
		room, comments, lines, 100*comments/lines, commentsAtLeast, commentsAtMost)
}
