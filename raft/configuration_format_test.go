package raft

import (
	"bytes"
	"testing"
)

// FuzzDecodeConfiguration: an entry of a peer may carry anything. What is taken has one form only, and what a
// server would act on names everybody it counts.
func FuzzDecodeConfiguration(f *testing.F) {
	c := three()
	f.Add(c.AppendTo(nil))
	c.Voters, c.Outgoing, c.Learners = []NodeID{1}, []NodeID{1, 2}, []NodeID{2, 3}
	f.Add(c.AppendTo(nil))
	c.Version, c.LeaseDrift, c.LeaseTime, c.AutoPromote = 1, 2, 3, true
	f.Add(c.AppendTo(nil))
	c.Members[0].Start = 5
	f.Add(c.AppendTo(nil))
	f.Add(Configuration{}.AppendTo(nil))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, rest, err := DecodeConfiguration(src)
		if err != nil {
			return
		}
		if again := append(c.AppendTo(nil), rest...); !bytes.Equal(again, src) {
			t.Fatalf("decoded and encoded again\n%x\nbecame\n%x", src, again)
		}
		c, err = entryConfiguration(Entry{Kind: ConfigurationChange, Command: src})
		if err != nil {
			return
		}
		for _, id := range append(c.Clone().Voters, c.Outgoing...) {
			if _, named := c.Member(id); !named || !c.Voter(id) {
				t.Fatalf("%v votes in %+v and is no member", id, c)
			}
		}
	})
}

// TestAnEntryCarriesOneConfiguration that servers can act on, and nothing else.
func TestAnEntryCarriesOneConfiguration(t *testing.T) {
	good := three().AppendTo(nil)
	learners := Configuration{Members: []Member{{ID: 1}}, Learners: []NodeID{1}}
	for claim, command := range map[string][]byte{
		"nothing":            nil,
		"half of it":         good[:len(good)/2],
		"more than one":      append(bytes.Clone(good), good...),
		"nobody":             Configuration{}.AppendTo(nil),
		"nobody who votes":   learners.AppendTo(nil),
		"of another version": append([]byte{2}, good[1:]...),
	} {
		if c, err := entryConfiguration(Entry{Command: command}); err == nil {
			t.Errorf("%s: %+v", claim, c)
		}
	}
	if _, err := entryConfiguration(Entry{Command: good}); err != nil {
		t.Error(err)
	}
}
