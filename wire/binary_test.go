package wire

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"balsa/raft"
)

func TestEveryEntrySurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEntry(t)
		got, rest, err := DecodeEntry(append(AppendEntry(nil, want), "rest"...))
		if diff := cmp.Diff(want, got); err != nil || diff != "" || string(rest) != "rest" {
			t.Fatalf("%v, rest %q: %s", err, rest, diff)
		}
		cut := AppendEntry(nil, want)
		cut = cut[:rapid.IntRange(0, len(cut)-1).Draw(t, "cut")]
		if _, _, err := DecodeEntry(cut); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d bytes were enough: %v", len(cut), err)
		}
	})
}

func TestABadEntryIsRefused(t *testing.T) {
	good := AppendEntry(nil, raft.Entry{Term: 1, Index: 1, Kind: raft.Normal, Command: []byte("abc")})
	for _, at := range []int{24, 25, 26, 27, 31} { // the kind, the padding, the length's highest byte
		bad := slices.Clone(good)
		bad[at] = 0x77
		if e, _, err := DecodeEntry(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("with byte %d changed: %+v, %v", at, e, err)
		}
	}
}

// A command that grows must not run into the entry behind it.
func TestADecodedCommandCannotGrowIntoTheNext(t *testing.T) {
	src := AppendEntry(nil, raft.Entry{Term: 1, Index: 1, Kind: raft.Normal, Command: []byte("abc")})
	e, rest, err := DecodeEntry(append(src, "next"...))
	if err != nil {
		t.Fatal(err)
	}
	if _ = append(e.Command, "XXXX"...); string(rest) != "next" {
		t.Errorf("what follows became %q", rest)
	}
}

func drawConfiguration(t *rapid.T) (c raft.Configuration) {
	ids := rapid.MapOf(rapid.Uint64Range(1, 1<<63), rapid.IntRange(1, 7)).Draw(t, "members")
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		id, role := raft.NodeID(id), ids[id]
		if role&5 == 5 { // no learner votes
			role = 3
		}
		c.Members = append(c.Members, raft.Member{
			ID: id, Incarnation: drawNumber[raft.Incarnation](t, "incarnation"),
			Start:   rapid.Uint64Range(0, 2).Draw(t, "start"),
			Address: rapid.StringN(0, 20, -1).Draw(t, "address"),
			API:     rapid.StringN(0, 20, -1).Draw(t, "api"),
		})
		for bit, set := range []*[]raft.NodeID{&c.Voters, &c.Outgoing, &c.Learners} {
			if role>>bit&1 == 1 {
				*set = append(*set, id)
			}
		}
	}
	c.AutoPromote = rapid.Bool().Draw(t, "auto promote")
	c.Version = rapid.Uint32Range(0, 2).Draw(t, "version")
	c.LeaseDrift = rapid.Uint32Range(0, 2).Draw(t, "lease drift")
	c.LeaseTime = raft.Time(rapid.Int64Range(0, 2).Draw(t, "lease time"))
	return c
}

func TestEveryConfigurationSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawConfiguration(t)
		src := AppendConfiguration(nil, want)
		got, rest, err := DecodeConfiguration(append(src, "rest"...))
		if diff := cmp.Diff(want, got); err != nil || diff != "" || string(rest) != "rest" {
			t.Fatalf("%v, rest %q: %s", err, rest, diff)
		}
		cut := rapid.IntRange(0, len(src)-1).Draw(t, "cut")
		if _, _, err := DecodeConfiguration(src[:cut]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d of %d bytes were enough: %v", cut, len(src), err)
		}
	})
}

// What would come back different is not encoded: nothing is cut short, nobody is forgotten.
func TestAConfigurationWithoutABinaryFormIsNotEncoded(t *testing.T) {
	long := strings.Repeat("x", MaxAddress+1)
	one := []raft.NodeID{1}
	many := raft.Configuration{}
	for id := raft.NodeID(1); id <= MaxMembers+1; id++ {
		many.Members = append(many.Members, raft.Member{ID: id})
		many.Voters = append(many.Voters, id)
	}
	for want, c := range map[string]raft.Configuration{
		"1025 members":      many,
		"an address of":     {Members: []raft.Member{{ID: 1, Address: long}}, Voters: one},
		"has an address of": {Members: []raft.Member{{ID: 1, API: long}}, Voters: one},
		"is no member":      {Voters: one},
		"neither voter":     {Members: []raft.Member{{ID: 1}}},
		"member 0 comes":    {Members: []raft.Member{{ID: 0}}, Voters: []raft.NodeID{0}},
		"member 1 comes after member 2": {
			Members: []raft.Member{{ID: 2}, {ID: 1}}, Voters: []raft.NodeID{1, 2},
		},
		"server 1 comes after server 2": {
			Members: []raft.Member{{ID: 1}, {ID: 2}}, Voters: []raft.NodeID{2, 1},
		},
		"server 1 comes after server 1": {Members: []raft.Member{{ID: 1}}, Voters: []raft.NodeID{1, 1}},
		"both voter and learner":        {Members: []raft.Member{{ID: 1}}, Voters: one, Learners: one},
	} {
		if err := CheckConfiguration(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("CheckConfiguration = %v, want something with %q", err, want)
		}
		if !panics(func() { AppendConfiguration(nil, c) }) || !panics(func() { ClusterID("", c) }) {
			t.Errorf("%s was encoded", want)
		}
	}
	many.Members, many.Voters = many.Members[:MaxMembers], many.Voters[:MaxMembers]
	if err := CheckConfiguration(many); err != nil {
		t.Error(err)
	}
}

func TestABadConfigurationIsRefused(t *testing.T) {
	good := AppendConfiguration(nil, raft.NewConfiguration(map[raft.NodeID]string{1: "a", 2: "b"}))
	for at, b := range map[int]byte{
		0: 2, 1: 4, 3: 0xff, // version, flags, count
		4: 0, 4 + 16: 5, // the first member: id 0, a learner that votes
		4 + 22: 1, // the second member: the first one's id
	} {
		bad := slices.Clone(good)
		bad[at] = b
		if c, _, err := DecodeConfiguration(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("with byte %d changed: %+v, %v", at, c, err)
		}
	}
	gates := slices.Insert(slices.Clone(good), 4, make([]byte, 8)...)
	gates[1] = 2
	if c, _, err := DecodeConfiguration(gates); !errors.Is(err, ErrMalformed) {
		t.Errorf("with gates that say nothing: %+v, %v", c, err)
	}
}

func TestClusterIDsDiffer(t *testing.T) {
	configuration := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "b:1"})
	other := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "b:2"})
	ids := map[raft.ClusterID]bool{}
	for range 2 { // the second round draws the same ids again
		for _, name := range []string{"", "a", "a\nb"} {
			ids[ClusterID(name, configuration)] = true
			ids[ClusterID(name, other)] = true
		}
	}
	if len(ids) != 6 {
		t.Errorf("%d different ids, want 6", len(ids))
	}
}
