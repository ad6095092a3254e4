package wire

import (
	"bytes"
	"strings"
	"testing"

	"balsa/raft"
)

// TestCommandsAreTextWhereAPersonCanReadThem: and base64 where text would only be longer.
func TestCommandsAreTextWhereAPersonCanReadThem(t *testing.T) {
	tests := []struct {
		claim   string
		command []byte
		text    bool
	}{
		{"the words of a person", []byte("SET greeting hello world"), true},
		{"words between a few control characters", []byte("\x01\x00\x08greeting\x00\x05hello"), true},
		{"lines of text", bytes.Repeat([]byte("one line, and another\n"), 1000), true},
		{"a megabyte of zeros", make([]byte, 1<<20), false},
		{"what is no UTF-8", []byte("\xff\xfe"), false},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			form := AppendJSON(nil, raft.Envelope{To: 2, Message: raft.AppendEntries{
				Term: 1, Entries: []raft.Entry{{Term: 1, Index: 1, Kind: raft.Normal, Command: test.command}},
			}})
			if text := bytes.Contains(form, []byte(`"command":`)); text != test.text {
				t.Errorf("as text: %v", text)
			}
			if len(test.command) > 1000 && len(form) > len(test.command)*3/2 {
				t.Errorf("%d bytes of command make %d bytes of JSON", len(test.command), len(form))
			}
		})
	}
}

// TestShortEntriesAreBoundedByTheirNumber: a list of the shortest entries takes far more memory than bytes.
func TestShortEntriesAreBoundedByTheirNumber(t *testing.T) {
	list := func(n int) []byte {
		entries := strings.Repeat(`{"term":1},`, n)
		return []byte(
			`{"term":1,"leader_id":1,"prev_log_index":0,"prev_log_term":0,"leader_commit":0,"entries":[` +
				entries[:len(entries)-1] + `]}`,
		)
	}
	if _, err := DecodeJSON("append_entries", list(maxJSONEntries)); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
	if _, err := DecodeJSON("append_entries", list(maxJSONEntries+1)); err == nil {
		t.Error("one more than there may be was taken")
	}
}
