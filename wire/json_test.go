package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"balsa/raft"
)

func TestEveryEnvelopeSurvivesTheJSONForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEnvelope(t)
		line := AppendJSON([]byte("before"), want)[len("before"):]
		if bound := boundJSON(want.Message); len(line) > bound {
			t.Fatalf("%d bytes of JSON, more than the %d that are promised:\n%s", len(line), bound, line)
		}
		got, err := DecodeJSON(Name(want.Message), line)
		if err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\n%s", diff, line)
		}
	})
}

// boundJSON is the length that JSONGrowth and JSONOverhead promise.
func boundJSON(m raft.Message) int {
	size := 0
	switch m := m.(type) {
	case raft.AppendEntries:
		for _, e := range m.Entries {
			size += e.Size()
		}
	case raft.ForwardProposal:
		size = len(m.Command)
	case raft.InstallSnapshot:
		size = len(m.Data)
	}
	return JSONGrowth*size + JSONOverhead
}

func TestTheLargestJSONKeepsItsBound(t *testing.T) {
	const most = math.MaxUint64
	e := raft.Entry{Term: most, Index: most, Time: math.MinInt64, Kind: raft.ConfigurationChange}
	m := raft.AppendEntries{
		Term: most, Prev: raft.EntryID{Term: most, Index: most}, Commit: most, Round: most,
		Entries: []raft.Entry{e, e, e, e, e, e, e, e, e, e},
	}
	for i := range m.Entries {
		m.Entries[i].Command = make([]byte, 100*i) // each byte becomes \u0000
	}
	who := raft.Identity{Node: most, Incarnation: most, Start: most, Configuration: most}
	who.Cluster[0], who.API = 1, strings.Repeat(`"`, MaxAPI)
	who.Address, who.Version = who.API, math.MaxUint32
	for _, m := range []raft.Message{m, raft.AppendEntriesResponse{
		Term: most, Round: most, Match: most, Holds: most, Rejected: true, Busy: true,
		Conflict: raft.EntryID{Term: most, Index: most},
	}} {
		line := AppendJSON(nil, raft.Envelope{From: who, To: most, Sequence: most, Message: m})
		if bound := boundJSON(m); len(line) > bound {
			t.Errorf("%s: %d bytes, more than the %d that are promised", Name(m), len(line), bound)
		}
	}
}

// jsonByHand is what a person may write, and what it means.
func jsonByHand() []struct {
	name, src string
	want      raft.Envelope
} {
	from2 := func(m raft.Message) raft.Envelope {
		return raft.Envelope{From: raft.Identity{Node: 2}, Message: m}
	}
	return []struct {
		name, src string
		want      raft.Envelope
	}{
		{
			"request_vote", `{"term":4,"candidate_id":2,"last_log_index":7,"last_log_term":3}`,
			from2(raft.RequestVote{Term: 4, Last: raft.EntryID{Term: 3, Index: 7}}),
		},
		{"request_vote", ` {"candidate_id" : 2, "term": null} ` + "\n", from2(raft.RequestVote{})},
		{"pre_vote", `{"term":4,"node":2}`, from2(raft.PreVote{Term: 4})},
		{"append_entries", `{"leader_id":2,"entries":null}`, from2(raft.AppendEntries{})},
		{"timeout_now", `{"term":4,"leader_id":2,"node":2}`, from2(raft.TimeoutNow{Term: 4})},
		{
			"append_entries", `{"leader_id":2,"prev_log_index":7,"entries":[{"term":1,"command":"a b"},
				{"term":1}, {"term":2,"command_base64":"/wA=","kind":"session","time":"-5","index":70},
				{"term":2,"command":"","kind":"noop"}]}`,
			from2(raft.AppendEntries{Prev: raft.EntryID{Index: 7}, Entries: []raft.Entry{
				{Term: 1, Index: 8, Kind: raft.Normal, Command: []byte("a b")},
				{Term: 1, Index: 9, Kind: raft.Normal},
				{Term: 2, Index: 70, Time: -5, Kind: raft.Session, Command: []byte{0xff, 0}},
				{Term: 2, Index: 11, Kind: raft.NoOp},
			}}),
		},
		{
			"append_entries_response", `{"term":4,"success":true}`,
			raft.Envelope{Message: raft.AppendEntriesResponse{Term: 4}},
		},
		{
			"append_entries_response", `{"term":4}`,
			raft.Envelope{Message: raft.AppendEntriesResponse{Term: 4, Rejected: true}},
		},
	}
}

func TestAPersonWritesLittle(t *testing.T) {
	for _, c := range jsonByHand() {
		got, err := DecodeJSON(c.name, []byte(c.src))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", c.src, err, diff)
		}
	}
}

func TestBadJSONIsRefusedWithASentence(t *testing.T) {
	for _, c := range [][3]string{
		{"no_such_message", `{}`, `"no_such_message" is not the name of a message`},
		{"", `{}`, `"" is not the name`},
		{"pre_vote", `{"node":2,"configuration":1e3}`, `"configuration" cannot be this number 1e3`},
		{"pre_vote", `{"node":2,"cluster":"zz"}`, `"cluster" must be 32 hexadecimal digits`},
		{"pre_vote", `{"node":2,"incarnation":5}`, `"incarnation" cannot be this number`},
		{"pre_vote", `{"node":2,"incarnation":"-5"}`, `"incarnation" must be a decimal below 2^64`},
		{"pre_vote", `{"node":2,"incarnation":"18446744073709551616"}`, `"incarnation" must be`},
		{"pre_vote", `{"node":2,"api":"http://a\nSet-Cookie: b"}`, `"api" has a byte 0xa`},
		{"pre_vote", `{"node":2,"api":"` + strings.Repeat("x", 256) + `"}`,
			`"api" has 256 bytes, at most 255`},
		{"pre_vote", "{\"node\":2,\"cluster\":\"\xff\"}", "not UTF-8"},
		{"forward_read", `{}`, `"node" is missing`},
		{
			"append_entries", `{"leader_id":2,"entries":[{"term":1},{"term":1,"comand":"x"}]}`,
			`entry 2: unknown field "comand"`,
		},
		{"append_entries", `{"leader_id":2,"entries":[{"term":1,"term":-1}]}`, `entry 1: "term" cannot be`},
		{"append_entries", `{"leader_id":2,"entries":[{"term":1,"time":"x"}]}`, `entry 1 has a "time"`},
		{"append_entries", `{"leader_id":2,"entries":[7]}`, `entry 1: "" cannot be this number`},
		{
			"append_entries", `{"leader_id":2,"entries":[{"term":1,"command":"x","command_base64":"eA=="}]}`,
			`has both "command" and "command_base64"`,
		},
		{"append_entries", `{"leader_id":2,"entries":[{"term":1,"command_base64":"*"}]}`, `illegal base64`},
		{
			"append_entries",
			`{"leader_id":2,"prev_log_index":18446744073709551614,"entries":[{"term":1},{"term":1}]}`,
			"entry 2 has an index beyond 2^64",
		},
		{"forward_proposal", `{"node":2,"kind":"noop"}`, `"kind" is "noop", must be`},
		{"identity_refused", `{"error":"go away"}`, `"reason" is missing`},
		{"identity_refused", `{"reason":256}`, `"reason" cannot be`},
		{"pre_vote", `{"node":` + strings.Repeat("[", 100_000), "exceeded max depth"},
	} {
		_, err := DecodeJSON(c[0], []byte(c[1]))
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%.100s: %v", c[1], err)
		}
	}
}

// A field of a later version is ignored when a program sends it, and refused when a person has typed it.
func TestUnknownFieldsAreIgnoredFromPrograms(t *testing.T) {
	const cluster = `"cluster":"c1000000000000000000000000000000",`
	const rest = `"leader_id":2,"new":{"x":[1]},"entries":[{"term":1,"newer":true}]}`
	e, err := DecodeJSON("append_entries", []byte(`{`+cluster+rest))
	if err != nil || len(e.Message.(raft.AppendEntries).Entries) != 1 {
		t.Errorf("from a program: %+v, %v", e, err)
	}
	if _, err := DecodeJSON("append_entries", []byte(`{`+rest)); !errors.Is(err, ErrMalformed) {
		t.Errorf("by hand: %v", err)
	}
}

// What may exceed 2^53 must not be a JSON number: JavaScript would round it.
func TestLargeNumbersSurviveJavaScript(t *testing.T) {
	line := AppendJSON(nil, raft.Envelope{
		From: raft.Identity{Node: 1, Incarnation: math.MaxUint64},
		Message: raft.AppendEntries{Entries: []raft.Entry{
			{Term: 1, Index: 1, Kind: raft.Normal, Time: 1_763_000_000_000_000_001},
		}},
	})
	var asJavaScript any // numbers become float64
	if err := json.Unmarshal(line, &asJavaScript); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(asJavaScript)
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range []string{"18446744073709551615", "1763000000000000001"} {
		if !strings.Contains(string(again), number) {
			t.Errorf("%s became %s", line, again)
		}
	}
}

// A short text must not make a decoder take much memory.
func TestMemoryIsBoundedByTheInput(t *testing.T) {
	const size = 1 << 18
	list := func(element string) string {
		return `[` + strings.Repeat(element+`,`, size/(len(element)+1)) + element + `]`
	}
	for what, src := range map[string]string{
		"small entries": `"entries":` + list(`{"term":1}`),
		"empty entries": `"entries":` + list(`{}`),
		"no entries":    `"entries":` + list(`7`),
		"unknown lists": `"cluster":"c1000000000000000000000000000000","x":` + list(`[]`),
		"a command":     `"entries":[{"term":1,"command":"` + strings.Repeat("x", size) + `"}]`,
	} {
		var before, after runtime.MemStats
		src = `{"leader_id":1,` + src + `}`
		runtime.ReadMemStats(&before)
		e, err := DecodeJSON("append_entries", []byte(src))
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 40*size {
			t.Errorf("%s: %d bytes of memory for %d bytes of JSON", what, taken, len(src))
		}
		runtime.KeepAlive(fmt.Sprint(e.To, err))
	}
}
