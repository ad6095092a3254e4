package wire

import (
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
