package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
	"balsa/wal"
	"balsa/wire"
)

// flipBit changes one bit of a file.
func flipBit(t *testing.T, file string, bit int) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	b[bit/8] ^= 1 << (bit % 8)
	must(t, os.WriteFile(file, b, 0o600))
}

// whether a start would refuse the log, or the snapshot with that name.
func refused(t *testing.T, path, name string) bool {
	t.Helper()
	dir, err := disk.Look(path)
	must(t, err)
	if _, is := snapshot.ParseName(name); is {
		_, err = snapshot.View(dir, name)
		return err != nil
	}
	r, err := wal.Inspect(dir)
	return err != nil || len(r.Copies) > 0
}

// Whatever bit of whatever file changes, verify finds it if the packages that read the files at a start do,
// names the file, and says so with status 7; and it changes nothing.
func TestVerifyFindsEachFlippedBit(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	entries, err := os.ReadDir("data")
	must(t, err)
	found := 0
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		file := filepath.Join("data", e.Name())
		for bit := 5; bit < 8*int(info.Size()); bit += 8*47 + 1 {
			flipBit(t, file, bit)
			want, before := exitOK, contentOf(t, "data")
			if refused(t, "data", e.Name()) {
				want = exitViolation
				found++
			}
			got := command(t, "", "verify", "data", "-o", "json")
			var v verdict
			err := json.Unmarshal([]byte(got.out), &v)
			later := strings.Contains(got.err, "written by a later version") && got.status == exitError
			if !later && (got.status != want || err != nil || v.Good != (want == exitOK)) {
				t.Errorf("bit %d of %s: status %d, %v\n%s%s", bit, e.Name(), got.status, err, got.out,
					got.err)
			}
			if want == exitViolation && !later && !strings.Contains(got.err, e.Name()+" at byte ") {
				t.Errorf("bit %d of %s: %s", bit, e.Name(), got.err)
			}
			if contentOf(t, "data") != before {
				t.Fatalf("bit %d of %s: verify has changed something", bit, e.Name())
			}
			flipBit(t, file, bit)
		}
	}
	if found < 60 {
		t.Errorf("%d bits counted", found)
	}
}

// verified is what verify says of a directory.
func verified(t *testing.T, status int) (verdict, string) {
	t.Helper()
	got := command(t, "", "verify", "data", "-o", "json")
	var v verdict
	if err := json.Unmarshal([]byte(got.out), &v); got.status != status || err != nil {
		t.Fatalf("status %d, want %d, %v\n%s%s", got.status, status, err, got.out, got.err)
	}
	return v, got.err
}

// What is missing, under another's name, or does not join the rest, is found; what may be so is not.
func TestVerifyJudgesTheWhole(t *testing.T) {
	segments := []string{"0000000002.wal", "0000000003.wal"}
	for name, c := range map[string]struct {
		change func(t *testing.T)
		status int
		says   string
	}{
		"nothing":             {func(*testing.T) {}, exitOK, "nothing is damaged"},
		"a torn write":        {tear, exitOK, "nothing is damaged"},
		"no older snapshot":   {without(olderSnapshot), exitOK, ""},
		"no newer snapshot":   {without(newerSnapshot), exitOK, ""},
		"no snapshot":         {without(olderSnapshot, newerSnapshot), exitViolation, "entries are missing"},
		"a copy is missing":   {without("identity.2"), exitViolation, doNothing},
		"a segment is gone":   {without("0000000002.wal"), exitViolation, "the file is missing"},
		"no log, no identity": {without(append(copies(), segments...)...), exitViolation, "both copies"},
		"an empty segment":    {emptied("0000000002.wal"), exitViolation, "0 bytes"},
		"an empty snapshot":   {emptied(newerSnapshot), exitViolation, doSpare},
		"an empty older one":  {emptied(olderSnapshot), exitViolation, doSpare},
		"an empty only one":   {emptiedOnly, exitViolation, "repairs itself from the other nodes"},
		"an empty copy":       {emptied("identity.1"), exitViolation, doNothing},
		"a wrong name":        {swapNames, exitViolation, "under a wrong name"},
		"another's snapshot":  {foreignSnapshot, exitViolation, "another cluster"},
		"a foreign file":      {made("notes"), exitOK, "nothing is damaged"},
		"a foreign directory": {made("0000000009.wal/x"), exitOK, "nothing is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			foundData(t, "data")
			c.change(t)
			v, said := verified(t, c.status)
			if !strings.Contains(said, c.says) || v.Good != (c.status == exitOK) {
				t.Errorf("%v: %s", v.Good, said)
			}
			for _, f := range v.Findings {
				if f.File == "" || f.What == "" || f.Do == "" || !strings.Contains(said, f.String()) {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// tear leaves what a power cut leaves of a last write.
func tear(t *testing.T) {
	segment := "data/0000000003.wal"
	b, err := os.ReadFile(segment)
	must(t, err)
	b[900] = 7
	must(t, os.WriteFile(segment, b, 0o600))
	if v, _ := verified(t, exitOK); v.Log.Torn == 0 {
		t.Errorf("nothing is torn: %+v", v)
	}
}

// without removes files, emptied cuts one down to nothing, made adds one.
func without(names ...string) func(*testing.T) {
	return func(t *testing.T) {
		for _, name := range names {
			must(t, os.Remove("data/"+name))
		}
	}
}

func emptied(name string) func(*testing.T) {
	return func(t *testing.T) { must(t, os.Truncate("data/"+name, 0)) }
}

func emptiedOnly(t *testing.T) {
	without(olderSnapshot)(t)
	emptied(newerSnapshot)(t)
}

func made(name string) func(*testing.T) {
	return func(t *testing.T) {
		must(t, os.MkdirAll(filepath.Dir("data/"+name), 0o700))
		must(t, os.WriteFile("data/"+name, nil, 0o600))
	}
}

func swapNames(t *testing.T) {
	must(t, os.Rename("data/"+olderSnapshot, "data/x"))
	must(t, os.Rename("data/"+newerSnapshot, "data/"+olderSnapshot))
	must(t, os.Rename("data/x", "data/"+newerSnapshot))
}

// foreignSnapshot puts in the snapshot of another cluster.
func foreignSnapshot(t *testing.T) {
	dir, err := disk.OS("other")
	must(t, err)
	for _, name := range []string{olderSnapshot, newerSnapshot} {
		must(t, os.Remove("data/"+name))
	}
	s, _, err := snapshot.Open(dir, snapshot.Options{Cluster: [16]byte{9}})
	must(t, err)
	f := &founder{t: t, index: 8, keeper: snapshot.NewKeeper(s)}
	f.saveEmpty()
	must(t, os.Rename("other/"+olderSnapshot, "data/"+olderSnapshot))
	must(t, dir.Close())
}

// What to do about a damaged snapshot depends on where it lies: of a node's own verify knows it.
func TestADamagedSnapshotSaysWhereToAsk(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	flipBit(t, "data/"+newerSnapshot, 8*100)
	must(t, os.Mkdir("copies", 0o700))
	damaged, err := os.ReadFile("data/" + newerSnapshot)
	must(t, err)
	must(t, os.WriteFile("copies/one", damaged, 0o600))
	for file, advice := range map[string]string{
		"data/" + newerSnapshot: "delete and edit nothing by hand; balsa verify data says what to do",
		"copies/one":            "use another copy, and look at the disk that held this one",
	} {
		got := command(t, "", "snapshot", "inspect", file)
		if got.status != exitViolation || !strings.HasSuffix(got.err, ": damaged snapshot: "+advice+"\n") {
			t.Errorf("%s: %+v", file, got)
		}
	}
}

// A snapshot whose checksums are right and that no node can restore is damaged, and inspect says the same.
func TestASnapshotWithoutAState(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	must(t, os.Remove("data/"+newerSnapshot))
	dir, err := disk.OS("data")
	must(t, err)
	s, _, err := snapshot.Open(dir, snapshot.Options{Cluster: founded()})
	must(t, err)
	for i, section := range []string{"other", "state"} {
		members := wire.AppendConfiguration(nil, raft.NewConfiguration(map[raft.NodeID]string{1: "a:1"}))
		w, err := s.Create(snapshot.Meta{Last: raft.EntryID{Term: 2, Index: 12 + raft.Index(i)},
			Configuration: members})
		must(t, err)
		must(t, w.Section(section))
		_, err = w.Write([]byte("\x01rubbish"))
		must(t, err)
		_, err = w.Commit()
		must(t, err)
	}
	must(t, dir.Close())
	third := "00000000000000000013-t00000000000000000002.snapshot"
	v, said := verified(t, exitViolation)
	if len(v.Findings) != 2 || v.Findings[0].File != newerSnapshot || v.Findings[1].File != third {
		t.Errorf("%+v\n%s", v.Findings, said)
	}
	for _, name := range []string{newerSnapshot, third} {
		got := command(t, "", "snapshot", "inspect", "data/"+name)
		if got.status != exitViolation || !strings.Contains(got.out, "verified") ||
			strings.Count(got.err, "\n") != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What a node writes is compressed, and is read too; what is written with a codec that is not known is named.
func TestCompressedSnapshots(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, codec := range []snapshot.Codec{compression{}, unknownCodec{}} {
		foundData(t, "data")
		must(t, os.Remove("data/"+newerSnapshot))
		dir, err := disk.OS("data")
		must(t, err)
		s, _, err := snapshot.Open(dir, snapshot.Options{Cluster: founded(), Codecs: []snapshot.Codec{codec}})
		must(t, err)
		f := &founder{t: t, index: 11, keeper: snapshot.NewKeeper(s)}
		f.saveEmpty()
		must(t, dir.Close())
		verified := command(t, "", "verify", "data")
		inspected := command(t, "", "snapshot", "inspect",
			"data/00000000000000000011-t00000000000000000001.snapshot")
		want, said := exitOK, ""
		if codec.Name() != "zstd" {
			want, said = exitError, "codec \"unknown\""
		}
		if verified.status != want || !strings.Contains(verified.err, said) {
			t.Errorf("%+v", verified)
		}
		if inspected.status != want || !strings.Contains(inspected.err, said) ||
			!strings.Contains(inspected.out, codec.Name()+", in chunks of 256.0 KiB") {
			t.Errorf("%+v", inspected)
		}
		must(t, os.RemoveAll("data"))
	}
}

type unknownCodec struct{ compression }

func (unknownCodec) Name() string { return "unknown" }

// An entry of a session that this version cannot read is no damage, and no "good" either.
func TestAnEntryOfALaterVersion(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := disk.OS("data")
	must(t, err)
	l, _, err := wal.Open(dir, wal.Options{Identity: wal.Identity{Cluster: raft.ClusterID{1}, Node: 1,
		Incarnation: 1, Bootstrap: raft.NewConfiguration(map[raft.NodeID]string{1: "a:1"})}})
	must(t, err)
	must(t, l.Append(&raft.HardState{Term: 1}, []raft.Entry{{Term: 1, Index: 1, Kind: raft.Session,
		Command: []byte("\x09later")}}))
	must(t, errors.Join(l.Close(), dir.Close()))
	got := command(t, "", "verify", "data")
	if got.status != exitError || !strings.Contains(got.err, "entry 1 of term 1: version 9") {
		t.Errorf("%+v", got)
	}
	got = command(t, "", "log", "dump", "data")
	if got.status != exitOK || !strings.Contains(got.out, `cannot be read (version 9`) {
		t.Errorf("%+v", got)
	}
}

// Damage in one segment does not hide that in another.
func TestVerifyFindsAllDamage(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	for name, bit := range map[string]int{"identity.2": 160, "0000000002.wal": 8 * 70,
		"0000000003.wal": 8 * 300, olderSnapshot: 8 * 300, newerSnapshot: 0} {
		flipBit(t, "data/"+name, bit)
	}
	v, said := verified(t, exitViolation)
	var files []string
	for _, f := range v.Findings {
		files = append(files, f.File)
	}
	slices.Sort(files)
	want := []string{olderSnapshot, newerSnapshot, "0000000002.wal", "0000000003.wal", "identity.2"}
	if !slices.Equal(files, want) || strings.Count(said, "balsa: ") != len(want) {
		t.Errorf("found %v\n%s", files, said)
	}
}

// What is no data directory is a mistake on the command line, and said to be one.
func TestWhatIsNoDataDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.Mkdir("empty", 0o700))
	must(t, os.MkdirAll("above/node", 0o700))
	foundData(t, "above/node/1")
	must(t, os.Mkdir("other", 0o700))
	for _, name := range []string{"other/PG_VERSION", "file", "zero.snapshot"} {
		must(t, os.WriteFile(name, []byte(strings.TrimPrefix(name, "zero.snapshot")), 0o600))
	}
	must(t, os.Mkdir("cut", 0o700))
	must(t, os.WriteFile("cut/identity.1.tmp", nil, 0o600))
	for args, want := range map[string]string{
		"nowhere": "there is no directory nowhere: name the data directory of a node",
		"file":    "file is a file: name the data directory of a node",
		"empty":   "empty holds no node: name the data directory of one that was started",
		"other":   "other is no data directory of a node: nothing in it is balsa's",
		"cut":     "the first start there was cut short: no node has written anything yet",
		"above/node": "above/node is no data directory of a node, but there are some in it: " +
			"name one of above/node/1",
	} {
		for _, verb := range []string{"verify ", "log dump "} {
			got, want := command(t, "", strings.Fields(verb+args)...), want
			if verb+args == "verify file" { // it may be a backup
				want = "file is no snapshot: it does not begin as one"
			}
			if got.status != exitUsage || got.err != "balsa: "+want+"\n" || got.out != "" {
				t.Errorf("%s%s: %+v", verb, args, got)
			}
		}
	}
	for args, want := range map[string]string{
		"nowhere":                 "there is no file nowhere: name a snapshot",
		"empty":                   "empty is a directory: name a file in it, or see balsa help verify",
		"file":                    "file is no snapshot: it does not begin as one",
		"zero.snapshot":           "zero.snapshot is no snapshot: it does not begin as one",
		"above/node/1/identity.1": "above/node/1/identity.1 is no snapshot: it does not begin as one",
	} {
		got := command(t, "", "snapshot", "inspect", args)
		if got.status != exitUsage || got.err != "balsa: "+want+"\n" || got.out != "" {
			t.Errorf("snapshot inspect %s: %+v", args, got)
		}
	}
	for args, want := range map[string]string{
		"log":      "",
		"log dmup": `unknown command "dmup" of log: write dump`,
		"log dump": "write balsa log dump DIR: see balsa help log dump",
		"log dump d --from 0": `"0" is no value for --from: write the index of an entry, from 1 on: ` +
			"see balsa log dump --help",
		"log dump d --from 3 --to 2": "--to is 2, below --from, 3: write the smaller index first",
		"log dump d -o xml":          `-o is "xml": write table, json or plain`,
		"verify":                     "write balsa verify DIR|FILE: see balsa help verify",
		"verify d -o xml":            `-o is "xml": write table, json or plain`,
		"snapshot inspect":           "write balsa snapshot inspect FILE: see balsa help snapshot inspect",
		"snapshot inspect f -o no":   `-o is "no": write table, json or plain`,
	} {
		got := command(t, "", strings.Fields(args)...)
		if want == "" && got.status == exitOK {
			continue
		}
		if got.status != exitUsage || got.err != "balsa: "+want+"\n" {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// Beside a running node everything is read, and it is said that more may have come; damage that stays is
// damage.
func TestVerifyBesideARunningNode(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	dir, err := disk.OS("data")
	must(t, err)
	defer dir.Close()
	v, said := verified(t, exitOK)
	if !v.InUse || !strings.HasPrefix(said, "a node runs in data: ") {
		t.Errorf("%+v\n%s", v, said)
	}
	for _, args := range []string{"log dump data", "snapshot inspect data/" + newerSnapshot} {
		if got := command(t, "", strings.Fields(args)...); got.status != exitOK {
			t.Errorf("%s: %+v", args, got)
		}
	}
	flipBit(t, "data/0000000002.wal", 8*70)
	if v, said = verified(t, exitViolation); len(v.Findings) != 1 || !v.InUse {
		t.Errorf("%+v\n%s", v, said)
	}
}

// Beside a running node, what is found once and not again was changing; only what stays is damage. Without
// one everything that is found is.
func TestOnlyWhatStaysIsDamage(t *testing.T) {
	a, b, c, d := finding{File: "a"}, finding{File: "b"}, finding{File: "c"}, finding{File: "d"}
	for name, test := range map[string]struct {
		running bool
		found   [][]finding // by each reading
		want    []finding   // nil: it cannot be judged
	}{
		"good at once":   {true, [][]finding{{}}, []finding{}},
		"good later":     {true, [][]finding{{a, b}, {c}, {}}, []finding{}},
		"it stays":       {true, [][]finding{{a, b}, {c, b}}, []finding{b}},
		"it comes":       {true, [][]finding{{a}, {c, b}, {b}}, []finding{b}},
		"it is anywhere": {true, [][]finding{{a}, {b}, {d}}, nil},
		"nobody runs":    {false, [][]finding{{a, b}}, []finding{a, b}},
	} {
		path := t.TempDir()
		if test.running {
			dir, err := disk.OS(path)
			must(t, err)
			defer dir.Close()
		}
		v, err := settled(path, func() (*verdict, error) {
			v := &verdict{Good: len(test.found[0]) == 0, Findings: slices.Clone(test.found[0])}
			for _, f := range v.Findings {
				v.Files = append(v.Files, checkedFile{Name: f.File, State: "damaged"})
			}
			test.found = test.found[1:]
			return v, nil
		})
		if test.want == nil {
			if exitStatus(err) != exitError || err == nil || v != nil {
				t.Errorf("%s: %+v, %v", name, v, err)
			}
			continue
		}
		if err != nil || !slices.Equal(v.Findings, test.want) || len(test.found) > 0 {
			t.Errorf("%s: %+v, %v", name, v, err)
			continue
		}
		for _, file := range v.Files {
			if (file.State == "damaged") != slices.Contains(test.want, finding{File: file.Name}) {
				t.Errorf("%s: %+v", name, file)
			}
		}
	}
}

// Ctrl-C ends each of them.
func TestOfflineIsInterrupted(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for _, args := range []string{"verify data", "log dump data", "snapshot inspect data/" + newerSnapshot} {
		var said strings.Builder
		status := run(ctx, strings.Fields(args), &console{out: io.Discard, err: &said})
		if status != exitError || said.String() != "balsa: interrupted\n" {
			t.Errorf("%s: status %d, %q", args, status, &said)
		}
	}
}

// Of a damaged log everything in front of the damage is printed, and the damage is said.
func TestADumpOfADamagedLog(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	flipBit(t, "data/0000000003.wal", 8*300)
	got := command(t, "", "log", "dump", "data", "-o", "json")
	var lines []line
	err := json.Unmarshal([]byte(got.out), &lines)
	if got.status != exitViolation || err != nil || len(lines) != 5 || lines[0].Index != 9 ||
		lines[4].Index != 13 {
		t.Errorf("status %d, %v, %+v", got.status, err, lines)
	}
	advice := "damaged: delete and edit nothing by hand; balsa verify data says what to do\n"
	if !strings.Contains(got.err, "0000000003.wal at byte 288: ") || !strings.HasSuffix(got.err, advice) {
		t.Errorf("%s", got.err)
	}
}

// Whoever reads the first lines of a dump and goes leaves no failure behind.
func TestADumpIntoAClosedPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	foundData(t, "data")
	read, write, err := os.Pipe()
	must(t, err)
	must(t, read.Close())
	var said strings.Builder
	status := run(t.Context(), strings.Fields("log dump data"), &console{out: write, err: &said})
	if err := write.Close(); status != exitOK || said.Len() > 0 || err != nil {
		t.Errorf("status %d, %q, %v", status, &said, err)
	}
}

// A directory that takes longer than a second to read says how far it is, each tenth, in MiB.
func TestReadingTellsHowFarItIs(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.WriteFile("large", make([]byte, 20<<20), 0o600))
	var said strings.Builder
	c := &console{out: io.Discard, err: &said}
	for _, began := range []time.Duration{time.Hour, -2 * time.Second} { // however busy the machine is
		dir, err := c.look(t.Context(), "verify", ".")
		must(t, err)
		dir.expect("large", 20<<20)
		dir.began = time.Now().Add(began)
		f, err := dir.Open("large")
		must(t, err)
		for range 2 { // the second time counts for nothing
			if _, err := f.ReadAt(make([]byte, 20<<20), 0); err != nil && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}
		must(t, f.Close())
		dir.end()
		want := map[bool]int{true: 0, false: 10}[began > 0]
		if lines := strings.Count(said.String(), "\n"); lines != want || dir.done != 20<<20 {
			t.Errorf("%d lines of %d bytes: %s", lines, dir.done, &said)
		}
	}
	if !strings.Contains(said.String(), "10/20 MiB, ") || !strings.Contains(said.String(), ", large\n") {
		t.Errorf("%s", &said)
	}
}
