package kv

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"balsa/raft"
)

// FuzzApply: no bytes make Apply panic; a command is performed exactly if Validate says so; the result can
// be read.
func FuzzApply(f *testing.F) {
	for _, seed := range []string{"", "SET key value", "SET key", "DELETE key", "\x01", "\x02\x01", "SET  ",
		"INCR key", "INCR key -5", "INCR key x", "INCR old"} {
		f.Add([]byte(seed))
	}
	f.Add(Put("key", []byte("value")))
	f.Add(PutTTL("key", []byte("value"), 1))
	f.Add(PutTTL("key", nil, -1))
	f.Add(Increment("key", -1))
	f.Add(Increment("old", 1))
	f.Add(Increment("most", 1))
	f.Add(Delete("old"))
	f.Fuzz(func(t *testing.T, command []byte) {
		s := New()
		apply(t, s, 0, Put("most", []byte("9223372036854775807")))
		apply(t, s, 1, Put("old", []byte("value")))
		before := snapshot(t, s)
		result := apply(t, s, 2, command)
		refusal := result.Refusal
		if refusal == NotANumber || refusal == Overflow { // the map's, not the command's
			refusal = 0
		}
		if err := Validate(command); (err == nil) != (refusal == 0) {
			t.Errorf("Validate says %v, Apply %v", err, result.Refusal)
		}
		changed := !bytes.Equal(before, snapshot(t, s))
		if changed != (result.Revision == 2) || changed && result.Refusal != 0 {
			t.Errorf("changed: %v, but the result is %+v", changed, result)
		}
		if err := New().Restore(bytes.NewReader(snapshot(t, s))); err != nil {
			t.Errorf("what it stored cannot be restored: %v", err)
		}
	})
}

// FuzzParseText: what is accepted as text is performed, and never as the binary form.
func FuzzParseText(f *testing.F) {
	for _, seed := range []string{"", "SET key value", "SET a ", "DELETE key", "\x01\x01", "DELETE a b",
		"INCR a", "INCR a 1", "INCR a -9223372036854775808", "INCR a 1 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		command, err := ParseText(text)
		var refusal Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Errorf("%q: %v is no refusal", text, err)
		}
		if err != nil {
			return
		}
		form := strings.HasPrefix(text, "SET ") || strings.HasPrefix(text, "DELETE ") ||
			strings.HasPrefix(text, "INCR ")
		if string(command) != text || !form {
			t.Errorf("%q became %q", text, command)
		}
		if r := apply(t, New(), 1, command); r.Refusal != 0 {
			t.Errorf("%q was accepted and refused: %v", text, r.Refusal)
		}
	})
}

// FuzzRestore: bytes are refused, or they are exactly what the restored map writes; those of version 1 are
// what it writes without expiries.
func FuzzRestore(f *testing.F) {
	f.Add([]byte{})
	f.Add(snapshot(f, New()))
	f.Add(snapshot(f, filled(f, 3)))
	f.Add(oldImage(f, filled(f, 3)))
	mortal := filled(f, 3)
	apply(f, mortal, 9, PutTTL("key", []byte("value"), 9))
	f.Add(snapshot(f, mortal))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, resum(append(bytes.Clone(b), 0, 0, 0, 0))} {
			s := New()
			err := s.Restore(bytes.NewReader(b))
			if err != nil && (!errors.Is(err, ErrBadSnapshot) || s.Len() != 0) {
				t.Errorf("refused with %v, %d keys", err, s.Len())
			}
			if err == nil && !bytes.Equal(snapshot(t, s), b) && !bytes.Equal(oldImage(t, s), b) {
				t.Error("restored something else")
			}
			for at, any := s.NextExpiry(); any; at, any = s.NextExpiry() { // all of it goes when it is due
				s.Expire(raft.Entry{Index: 1, Time: at})
			}
		}
	})
}

// FuzzDecodeResult: bytes are refused, or they are exactly the encoding of what they mean.
func FuzzDecodeResult(f *testing.F) {
	f.Add([]byte{})
	f.Add(Result{Operation: OpPut, Created: true, Revision: 7}.encode())
	f.Add(Result{Operation: OpDelete, Deleted: 1, Revision: 7}.encode())
	f.Add(Result{Refusal: EmptyKey}.encode())
	f.Add(Result{Operation: OpIncrement, Created: true, Revision: 7, Value: -1}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		result, err := DecodeResult(b)
		if err == nil && !bytes.Equal(result.encode(), b) {
			t.Errorf("%x became %+v", b, result)
		}
		if err != nil && !errors.Is(err, ErrBadResult) {
			t.Error(err)
		}
		_, _ = result.Text()
	})
}
