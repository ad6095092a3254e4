package replica

import (
	"slices"
	"testing"

	"balsa/raft"
)

// A person whose message the core refuses is told so, and a server is not. Entries of kinds that this version
// cannot apply are refused too: committed, they would stop every node.
func TestAMessageByHandThatIsRefusedIsAnswered(t *testing.T) {
	reserved := func(kind raft.Kind) raft.Message {
		return raft.AppendEntries{Term: 1, Entries: []raft.Entry{{Term: 1, Index: 1, Kind: kind}}}
	}
	for _, c := range []struct {
		name    string
		message raft.Message
		refused bool
	}{
		{"a configuration", reserved(raft.ConfigurationChange), true},
		{"a session", reserved(raft.Session), true},
		{"a gap", raft.AppendEntries{Term: 1, Entries: []raft.Entry{{Term: 1, Index: 5}}}, true},
		{"a question", question(1), false},
	} {
		for _, byHand := range []bool{true, false} {
			b := hold(t, 3, &modelLog{}, func(config *Config) { config.ByHand = true })
			b.do(envelope(c.message, func(e *raft.Envelope) {
				if byHand {
					nobody(e)
				}
			}))
			b.settle()
			told := false
			for _, e := range b.sent {
				told = told ||
					e.Message == raft.Message(raft.IdentityRefused{Why: raft.Nonsense}) && e.Sequence == 41
			}
			if told != (c.refused && byHand) || b.Status().Last != (raft.EntryID{}) {
				t.Errorf("%s, by hand %v: told %v, the log ends in %v", c.name, byHand, told, b.Status().Last)
			}
		}
	}
}

// A message of a later version is counted, and its sender told of once: nobody would know otherwise why this
// server falls behind.
func TestEntriesOfALaterVersionAreTold(t *testing.T) {
	later := raft.AppendEntries{Term: 1, Entries: []raft.Entry{
		{Term: 1, Index: 1, Kind: raft.Session, Command: []byte{onceVersion + 1, byte(passTime)}}}}
	b := hold(t, 3, &modelLog{})
	for _, from := range []raft.NodeID{2, 2, 3, 2} {
		b.do(b.from(from, later))
		b.settle()
	}
	var told []raft.NodeID
	for _, e := range b.events {
		if e, is := e.(Undigested); is {
			told = append(told, e.From)
		}
	}
	if !slices.Equal(told, []raft.NodeID{2, 3}) || b.Status().Refused != 4 {
		t.Errorf("told of %v, refused %d", told, b.Status().Refused)
	}
}
