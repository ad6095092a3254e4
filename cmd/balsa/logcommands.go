package main

import (
	"fmt"
	"strconv"
	"time"

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
	"balsa/wire"
)

// shownCommand is what an entry brings, as JSON: what of it is for the sessions, and the command of the map.
type shownCommand struct {
	Session     string        `json:"session,omitempty"` // open, close, command, keyed or clock
	SessionID   uint64        `json:"session_id,omitempty"`
	Number      uint64        `json:"number,omitempty"`
	Key         string        `json:"idempotency_key,omitempty"`
	SessionTTL  string        `json:"session_ttl,omitempty"`
	Operation   string        `json:"operation,omitempty"`
	MapKey      *string       `json:"key,omitempty"`
	MapKey64    string        `json:"key_base64,omitempty"`
	Value       *string       `json:"value,omitempty"`
	Value64     string        `json:"value_base64,omitempty"`
	By          *int64        `json:"by,omitempty"`
	TTL         string        `json:"ttl,omitempty"`
	Members     []shownMember `json:"members,omitempty"`
	Unknown     string        `json:"unknown,omitempty"` // why it cannot be read
	Unknown64   string        `json:"bytes_base64,omitempty"`
	UnknownText *string       `json:"bytes,omitempty"`
}

// commandOf reads what an entry brings; nil for nothing.
func commandOf(e raft.Entry) any {
	var s shownCommand
	command := e.Command
	switch e.Kind {
	case raft.NoOp:
		return nil
	case raft.ConfigurationChange:
		c, _, err := wire.DecodeConfiguration(e.Command)
		if err != nil {
			return s.unknown(err, e.Command)
		}
		s.Members = shownMembers(c)
		return s
	case raft.Session:
		once, inner, err := replica.DecodeOnce(e.Command)
		if err != nil {
			return s.unknown(err, e.Command)
		}
		s.Session, s.SessionID, s.Number = once.What.String(), uint64(once.Session), once.Number
		s.Key, s.SessionTTL = once.Key, lasting(int64(once.TTL))
		if once.What != replica.InSession && once.What != replica.UnderKey {
			return s
		}
		command = inner
	}
	return s.ofMap(command)
}

// lasting writes nanoseconds as people do; nothing for none.
func lasting(ns int64) string {
	if ns == 0 {
		return ""
	}
	return time.Duration(ns).String()
}

// unknown is what cannot be read.
func (s shownCommand) unknown(why error, b []byte) shownCommand {
	s.Unknown = why.Error()
	if text, encoded := inText(b); encoded == "" {
		s.UnknownText = &text
	} else {
		s.Unknown64 = encoded
	}
	return s
}

// ofMap adds a command of the map.
func (s shownCommand) ofMap(b []byte) shownCommand {
	d, err := kv.Describe(b)
	if err != nil {
		return s.unknown(err, b)
	}
	s.Operation = d.Operation.String()
	if key, encoded := inText([]byte(d.Key)); encoded == "" {
		s.MapKey = &key
	} else {
		s.MapKey64 = encoded
	}
	switch d.Operation {
	case kv.OpIncrement:
		s.By = &d.Amount
	case kv.OpPutTTL:
		s.TTL = lasting(d.Amount)
	}
	if d.Operation == kv.OpPut || d.Operation == kv.OpPutTTL {
		if value, encoded := inText(d.Value); encoded == "" {
			s.Value = &value
		} else {
			s.Value64 = encoded
		}
	}
	return s
}

// shortest is how many bytes of a key, of a value, or of what cannot be read a table shows at least.
const shortest = 48

// commandText writes what an entry brings for people; short leaves out the end of what is long.
func commandText(e raft.Entry, short bool) string {
	switch e.Kind {
	case raft.NoOp:
		return ""
	case raft.ConfigurationChange:
		c, _, err := wire.DecodeConfiguration(e.Command)
		if err != nil {
			return unknownText(err, e.Command, short)
		}
		return membersText(c)
	case raft.Session:
		return sessionText(e.Command, short)
	}
	return mapText(e.Command, short)
}

func membersText(c raft.Configuration) string {
	text := "members"
	for _, m := range c.Members {
		text += fmt.Sprintf(" %d (%s)", m.ID, roleIn(c, m.ID))
	}
	return text
}

func sessionText(b []byte, short bool) string {
	once, command, err := replica.DecodeOnce(b)
	if err != nil {
		return unknownText(err, b, short)
	}
	switch once.What {
	case replica.OpenSession:
		return "open a session for " + lasting(int64(once.TTL))
	case replica.CloseSession:
		return fmt.Sprintf("close session %d", once.Session)
	case replica.InSession:
		return fmt.Sprintf("session %d, number %d: %s", once.Session, once.Number, mapText(command, short))
	case replica.UnderKey:
		return fmt.Sprintf("once as %s, for %s: %s", strconv.Quote(once.Key), lasting(int64(once.TTL)),
			mapText(command, short))
	}
	return "clock"
}

func mapText(b []byte, short bool) string {
	d, err := kv.Describe(b)
	if err != nil {
		return unknownText(err, b, short)
	}
	key := quoted([]byte(d.Key), short)
	switch d.Operation {
	case kv.OpPut:
		return "put " + key + " = " + quoted(d.Value, short)
	case kv.OpPutTTL:
		return "put " + key + " for " + lasting(d.Amount) + " = " + quoted(d.Value, short)
	case kv.OpIncrement:
		return fmt.Sprintf("increment %s by %d", key, d.Amount)
	}
	return d.Operation.String() + " " + key
}

func unknownText(why error, b []byte, short bool) string {
	return "cannot be read (" + why.Error() + "): " + quoted(b, short)
}

// quoted writes bytes in quotes. What is left out is counted.
func quoted(b []byte, short bool) string {
	if !short || len(b) <= shortest+16 {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(string(b[:shortest])), len(b))
}
