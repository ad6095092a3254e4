package balsa

import (
	"strings"
	"testing"

	"balsa/raft"
	"balsa/wire"
)

// TestTheLargestConfigurationFitsIntoAMessage, however small the largest command is: one that never fits
// would be sent again for ever, and nothing behind it committed.
func TestTheLargestConfigurationFitsIntoAMessage(t *testing.T) {
	var members raft.Configuration
	longest := strings.Repeat("\x01", raft.MaxAddress)
	for n := raft.NodeID(1); n <= raft.MaxMembers; n++ {
		id := n/128<<8 | n%128 // every byte is a character: as text, it grows most
		members.Members = append(members.Members,
			raft.Member{ID: id, Incarnation: 1, Address: longest, API: longest})
		members.Voters = append(members.Voters, id)
	}
	entry := raft.Entry{Term: 1, Index: 1, Kind: raft.ConfigurationChange, Command: members.AppendTo(nil)}
	if len(entry.Command) > largestConfiguration {
		t.Errorf("it has %d bytes, more than %d", len(entry.Command), largestConfiguration)
	}
	message := wire.AppendJSON(nil, raft.Envelope{To: 2, Message: raft.AppendEntries{
		Term: 1, Entries: []raft.Entry{entry}}})
	small := Config{MaxCommand: 1}
	if int64(len(message)) > small.maxBody() {
		t.Errorf("its message has %d bytes, at most %d are carried", len(message), small.maxBody())
	}
}
