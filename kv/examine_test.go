package kv

import (
	"bytes"
	"errors"
	"testing"
)

// Examine gives Restore's verdict on every snapshot with one changed byte, and on every beginning of it, and
// counts what a good one holds.
func TestExamineJudgesAsRestoreDoes(t *testing.T) {
	s := New()
	apply(t, s, 3, Put("a", []byte("xyz")))
	apply(t, s, 4, PutTTL("bc", nil, 1000))
	apply(t, s, 5, Increment("n", 7))
	image := snapshot(t, s)
	want := Contents{Revision: 5, Keys: 3, Expiring: 1, Bytes: 8}
	if got, err := Examine(bytes.NewReader(image)); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	check := func(b []byte) {
		t.Helper()
		err := New().Restore(bytes.NewReader(b))
		_, examined := Examine(bytes.NewReader(b))
		if err == nil && examined == nil {
			return
		}
		if err == nil || !errors.Is(examined, ErrBadSnapshot) || examined.Error() != err.Error() {
			t.Fatalf("Examine says %v, Restore %v", examined, err)
		}
	}
	for i := range image {
		check(image[:i])
		bad := bytes.Clone(image)
		bad[i]++
		check(bad)
		check(resum(bad)) // some of these are good
		bad[i] = 'z'      // among them one whose keys are out of order
		check(resum(bad))
	}
	check(append(bytes.Clone(image), 0))
}

// A command is described as what it does, whichever form it has; what is none says why.
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		command []byte
		want    Description
		err     error
	}{
		{Put("k", []byte("v")), Description{OpPut, "k", []byte("v"), 0}, nil},
		{[]byte("SET k v"), Description{OpPut, "k", []byte("v"), 0}, nil},
		{PutTTL("k", []byte("v"), 5), Description{OpPutTTL, "k", []byte("v"), 5}, nil},
		{Delete("k"), Description{OpDelete, "k", nil, 0}, nil},
		{Increment("k", -3), Description{OpIncrement, "k", nil, -3}, nil},
		{nil, Description{}, EmptyCommand},
		{Put("", nil), Description{Operation: OpPut}, EmptyKey},
		{[]byte("HELLO"), Description{}, UnknownWord},
	} {
		got, err := Describe(c.command)
		if err != c.err || got.Operation != c.want.Operation || got.Key != c.want.Key ||
			!bytes.Equal(got.Value, c.want.Value) || got.Amount != c.want.Amount {
			t.Errorf("%q: %+v, %v, want %+v, %v", c.command, got, err, c.want, c.err)
		}
	}
}
