package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"balsa/raft"
)

// maxJSONEntries bounds the entries of a message in JSON: more than fit into a megabyte of raft's byte
// limits, and few enough that the shortest ones, of a dozen bytes each, cannot be made into far more memory
// than was sent.
const maxJSONEntries = 1 << 15

// entryForm is an entry. A person writes {"term":1,"command":"SET a b"} and nothing else: its index then is
// the one after the entry before it, its kind is normal, its time is 0.
type entryForm struct {
	Term raft.Term `json:"term"`
	payload
	Index *raft.Index `json:"index,omitempty"`
	Kind  string      `json:"kind,omitempty"`
	Time  string      `json:"time,omitempty"`
}

// payload is a command: as text when a person could read it, else as base64; without either it is empty.
type payload struct {
	Command       *string `json:"command,omitempty"`
	CommandBase64 []byte  `json:"command_base64,omitempty"`
}

func payloadOf(command []byte) (p payload) {
	if !readable(command) {
		return payload{CommandBase64: command}
	}
	text := string(command)
	return payload{Command: &text}
}

// readable reports whether a command is better sent as text. A short one may have any number of control
// characters, so that the words in between can be read. In a long one they must be few: each takes six
// bytes, and a megabyte of zeros would be six of text, against four thirds of base64.
func readable(command []byte) bool {
	if !utf8.Valid(command) {
		return false
	}
	const short = 256
	controls := 0
	for _, b := range command {
		if b < ' ' {
			controls++
		}
	}
	return len(command) <= short || controls < len(command)/8
}

// bytes returns the command, nil when it is empty.
func (p payload) bytes() ([]byte, error) {
	command := p.CommandBase64
	if p.Command != nil && p.CommandBase64 != nil {
		return nil, errors.New(`has both "command" and "command_base64"`)
	}
	if p.Command != nil {
		command = []byte(*p.Command)
	}
	if len(command) > MaxCommand {
		return nil, fmt.Errorf("has a command of %d bytes, at most %d", len(command), MaxCommand)
	}
	if len(command) == 0 {
		return nil, nil
	}
	return command, nil
}

// entriesJSON returns the array of the entries that follow prev.
func entriesJSON(prev raft.Index, entries []raft.Entry) json.RawMessage {
	forms := make([]entryForm, len(entries))
	for i, e := range entries {
		forms[i] = entryForm{Term: e.Term, payload: payloadOf(e.Command)}
		if index, ok := position(prev, i); !ok || e.Index != index {
			forms[i].Index = &entries[i].Index
		}
		if e.Kind != raft.Normal {
			forms[i].Kind = e.Kind.String()
		}
		if e.Time != 0 {
			forms[i].Time = strconv.FormatInt(int64(e.Time), 10)
		}
	}
	return appendObject(nil, forms)
}

// position returns the index of the i-th entry after prev, and false when there is no such number.
func position(prev raft.Index, i int) (raft.Index, bool) {
	return prev + 1 + raft.Index(i), uint64(prev) < math.MaxUint64-uint64(i)
}

// decodeEntries reads the array of the entries that follow prev, one by one: a list of a million empty
// objects is refused at its first and takes no memory.
func decodeEntries(prev raft.Index, src json.RawMessage, strict bool) (entries []raft.Entry, err error) {
	if len(src) == 0 || string(src) == "null" {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(src))
	if strict {
		decoder.DisallowUnknownFields()
	}
	if first, _ := decoder.Token(); first != json.Delim('[') {
		return nil, errors.New(`"entries" must be an array`)
	}
	var f entryForm
	for decoder.More() {
		if len(entries) >= maxJSONEntries {
			return nil, fmt.Errorf("more than %d entries in one message", maxJSONEntries)
		}
		f = entryForm{}
		if err := decoder.Decode(&f); err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(entries)+1, explain(err))
		}
		e, err := f.entry(prev, len(entries))
		if err != nil {
			return nil, fmt.Errorf("entry %d %w", len(entries)+1, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// entry returns the i-th entry after prev.
func (f entryForm) entry(prev raft.Index, i int) (e raft.Entry, err error) {
	if f.Term == 0 {
		return e, errors.New(`has no "term"`)
	}
	e = raft.Entry{Term: f.Term, Kind: raft.Normal}
	if e.Command, err = f.payload.bytes(); err != nil {
		return e, err
	}
	index, ok := position(prev, i)
	if f.Index != nil {
		index, ok = *f.Index, true
	}
	if !ok {
		return e, errors.New("has an index beyond 2^64")
	}
	e.Index = index
	if f.Kind != "" {
		if e.Kind = kindOfEntry(f.Kind); e.Kind == 0 {
			return e, fmt.Errorf("is of unknown kind %q", f.Kind)
		}
	}
	if f.Time != "" {
		nanoseconds, err := strconv.ParseInt(f.Time, 10, 64)
		if err != nil {
			return e, errors.New(`has a "time" that is not a number of nanoseconds in a string`)
		}
		e.Time = raft.Time(nanoseconds)
	}
	return e, nil
}

// kindOfEntry returns the kind with that name, or 0.
func kindOfEntry(name string) raft.Kind {
	for k := raft.Normal; k.Valid(); k++ {
		if k.String() == name {
			return k
		}
	}
	return 0
}
