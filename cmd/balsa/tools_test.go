package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

// sumOf is the SHA-256 of bytes, in hexadecimal.
func sumOf(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// makeBackup copies the newer snapshot of a founded directory to where a backup would be.
func makeBackup(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile("data/" + newerSnapshot)
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
}

// The offline tools, as a person sees them; ids that are drawn are left out. The transcript is rewritten by
// go test ./cmd/balsa -run TestTools -update.
func TestToolsTranscript(t *testing.T) {
	golden, err := filepath.Abs("testdata/tools.txt")
	must(t, err)
	t.Chdir(t.TempDir())
	foundData(t, "data")
	makeBackup(t, "monday.backup")
	restore := "restore monday.backup --data node7 --id 7 --raft 127.0.0.1:7007 --http 127.0.0.1:8007"
	var got strings.Builder
	for _, step := range []struct{ line, stdin string }{
		{"verify monday.backup", ""},
		{restore, ""},
		{restore, ""},
		{"restore monday.backup --data node8 --id 8 --raft 127.0.0.1:7008 -o json", ""},
		{"verify node7 -o plain", ""},
		{"log dump node7", ""},
		{"recover --data data --id 2", ""},
		{"recover --data data --id 1", "yes\n"},
		{"recover --data data --id 1", "recover node 1\n"},
		{"verify data", ""},
		{"log dump data", ""},
		{"recover --data data --id 1 --i-understand-that-acknowledged-writes-may-be-lost -o plain", ""},
	} {
		transcribe(&got, step.line, command(t, step.stdin, strings.Fields(step.line)...))
	}
	drawn := regexp.MustCompile(`\b([0-9a-f]{32}|[0-9a-f]{16})\b|before-[0-9a-f]{8}`)
	holdGolden(t, golden, drawn.ReplaceAllStringFunc(got.String(), func(id string) string {
		if strings.Contains(id, "c1057e12") || id == "000000000000beef" {
			return id
		}
		return "(drawn)"
	}))
}

// Whatever region of a backup has changed, it is refused before anything is made.
func TestADamagedBackupIsNotRestored(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	makeBackup(t, "backup")
	whole, err := os.ReadFile("backup")
	must(t, err)
	refused := 0
	for bit := 8 * 8; bit < 8*len(whole); bit += 8*13 + 1 { // the first bytes say that it is one at all
		flipBit(t, "backup", bit)
		restored := command(t, "", "restore", "backup", "--data", "new", "--id", "1", "--raft", "a:1")
		verified := command(t, "", "verify", "backup")
		if later := strings.Contains(restored.err, "later version"); !later &&
			(restored.status != exitViolation || verified.status != exitViolation ||
				!strings.Contains(restored.err, "new was not touched")) {
			t.Errorf("bit %d: %+v, %+v", bit, restored, verified)
		}
		if _, err := os.Stat("new"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("bit %d: something was made: %v", bit, err)
		}
		flipBit(t, "backup", bit)
		refused++
	}
	must(t, os.WriteFile("backup", whole[:len(whole)-10], 0o600))
	if r := command(t, "", "restore", "backup", "--data", "new", "--id", "1", "--raft", "a:1"); r.status !=
		exitViolation || refused < 50 {
		t.Errorf("cut off: %+v; %d refused", r, refused)
	}
}

// A node that broke off, lied, or sent what no node can restore leaves no file; an old one stays.
func TestABackupIsWholeOrNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	good, err := os.ReadFile("data/" + newerSnapshot)
	must(t, err)
	send := good
	digest := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(client.HeaderServedBy, "1")
		w.Header().Set(client.HeaderBackupIndex, "12")
		w.Header().Set(client.HeaderBackupTerm, "2")
		w.Header().Set("Trailer", client.HeaderDigest)
		_, _ = w.Write(send)
		if digest == "broken" {
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		w.Header().Set(client.HeaderDigest, digest)
	}))
	defer server.Close()
	take := func(more ...string) result {
		return command(t, "", append([]string{"backup", "file", "--endpoints", server.URL}, more...)...)
	}
	for _, bad := range []string{"broken", "", "sha-256=00"} {
		digest = bad
		if r := take(); r.status == exitOK || !strings.Contains(r.err, "file was not made") {
			t.Errorf("%q: %+v", bad, r)
		}
	}
	digest = "sha-256=" + sumOf(send)
	if r := take(); r.status != exitOK || !strings.Contains(r.out, sumOf(send)) {
		t.Fatalf("%+v", r)
	}
	if r := take(); r.status != exitPrecondition || !strings.Contains(r.err, "file exists") {
		t.Errorf("once more: %+v", r)
	}
	send = append([]byte(nil), good...)
	send[len(send)/2] ^= 1
	digest = "sha-256=" + sumOf(send)
	if r := take("--overwrite"); r.status != exitViolation || !strings.Contains(r.err, "file is as it was") {
		t.Errorf("damaged by the node: %+v", r)
	}
	if now, err := os.ReadFile("file"); err != nil || string(now) != string(good) {
		t.Errorf("the old one has changed, %v", err)
	}
	left, err := filepath.Glob(".file*")
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// What the command line lacks is said all at once, and nothing is done.
func TestMistakesWithTools(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.WriteFile("text", []byte("no backup at all"), 0o600))
	for line, want := range map[string]string{
		"backup":                         "write balsa backup FILE",
		"backup no/where":                "there is no directory no",
		"backup .":                       ". is a directory",
		"backup f --rate fast":           "--rate: ",
		"restore":                        "write balsa restore FILE",
		"restore text":                   "--raft is missing",
		"restore text --id x --data d":   `--id: "x" is no id`,
		"recover --id 1":                 "--data is missing",
		"recover --id 1 --data d":        "name the data directory of the node that is left",
		"recover --id 1 --data d --http": "flag needs an argument",
		"check now":                      "takes no arguments",
		"restore text --id 1 --data d --raft a:1": "text is no snapshot",
	} {
		r := command(t, "", strings.Fields(line)...)
		if r.status != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%s: %+v", line, r)
		}
	}
}

// A directory whose making was cut short is called that by verify, and no node starts in it.
func TestVerifyKnowsWhatIsUnfinished(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	must(t, os.WriteFile("data/recover-2.unfinished", []byte("before-c1057e12-"), 0o600))
	r := command(t, "", "verify", "data")
	if r.status != exitViolation || !strings.Contains(r.err, "give the same balsa recover once more") {
		t.Errorf("%+v", r)
	}
	served := command(t, "", "serve", "--data", "data", "--id", "1", "--http", "127.0.0.1:0", "--raft",
		"127.0.0.1:7001")
	if served.status != exitError || !strings.Contains(served.err, "once more") {
		t.Errorf("%+v", served)
	}
}

// Who is about to found a cluster on what a node has is told that the others had no need of it.
func TestRecoverSaysWhoHadNoVote(t *testing.T) {
	members := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "a:2", 3: "a:3"})
	members.Voters, members.Learners = []raft.NodeID{1, 2}, []raft.NodeID{3}
	for node, want := range map[raft.NodeID]string{
		1: "", 3: "it is a learner", 4: "IT IS NO MEMBER any more",
	} {
		var told strings.Builder
		(&console{color: "never", err: &told}).warn("data", balsa.Remains{Node: node, Members: members})
		for _, said := range []string{"it is a learner", "IT IS NO MEMBER any more"} {
			if strings.Contains(told.String(), said) != (said == want) {
				t.Errorf("node %v, which is to be told %q: %s", node, want, told.String())
			}
		}
	}
}
