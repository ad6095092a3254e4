package kv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"balsa/raft"
)

var _ interface { // what a replica needs of a state machine
	Apply(raft.Entry) []byte
	Snapshot() (io.WriterTo, error)
	Restore(io.Reader) error
} = (*Store)(nil)

func entry(index int, command []byte) raft.Entry {
	return raft.Entry{Term: 1, Index: raft.Index(index), Kind: raft.Normal, Command: command}
}

func apply(t testing.TB, s *Store, index int, command []byte) Result {
	t.Helper()
	result, err := DecodeResult(s.Apply(entry(index, command)))
	if err != nil {
		t.Fatalf("the result of entry %d: %v", index, err)
	}
	return result
}

func snapshot(t testing.TB, s *Store) []byte {
	t.Helper()
	capture, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return written(t, capture)
}

func written(t testing.TB, capture io.WriterTo) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := capture.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("WriteTo: %d, %v; %d bytes arrived", n, err, b.Len())
	}
	return b.Bytes()
}

func TestRevisions(t *testing.T) {
	s := New()
	one, two := Item{[]byte("1"), 3, 3, 1, 0}, Item{[]byte("two words"), 3, 7, 2, 0}
	steps := []struct {
		index   int
		command []byte
		result  Result
		item    Item // under "a" afterwards
	}{
		{3, Put("a", []byte("1")), Result{OpPut, true, 0, 0, 3, 0}, one},
		{4, Put("b", nil), Result{OpPut, true, 0, 0, 4, 0}, one},
		{7, []byte("SET a two words"), Result{OpPut, false, 0, 0, 7, 0}, two},
		{8, Delete("gone"), Result{OpDelete, false, 0, 0, 7, 0}, two},
		{9, []byte("nonsense"), Result{0, false, 0, UnknownWord, 7, 0}, two},
		{10, []byte("DELETE a"), Result{OpDelete, false, 1, 0, 10, 0}, Item{}},
		{12, Put("a", []byte("3")), Result{OpPut, true, 0, 0, 12, 0}, Item{[]byte("3"), 12, 12, 1, 0}},
	}
	for _, step := range steps {
		if got := apply(t, s, step.index, step.command); got != step.result {
			t.Errorf("entry %d: %+v, want %+v", step.index, got, step.result)
		}
		item, at, found := s.Read("a")
		want := step.item
		if fmt.Sprint(item) != fmt.Sprint(want) || found != (want.Version > 0) || at != step.result.Revision {
			t.Errorf("after entry %d: %v at %d, want %v", step.index, item, at, step.item)
		}
	}
	if s.Len() != 2 || s.Revision() != 12 {
		t.Errorf("%d keys at revision %d, want 2 at 12", s.Len(), s.Revision())
	}
}

func TestText(t *testing.T) {
	long := strings.Repeat("k", MaxKey)
	tests := []struct {
		text       string
		refusal    Refusal
		key, value string
	}{
		{"SET k v", 0, "k", "v"},
		{"SET k value with  spaces ", 0, "k", "value with  spaces "},
		{"SET k ", 0, "k", ""},
		{"SET k  v", 0, "k", " v"},
		{"SET schlüssel größe", 0, "schlüssel", "größe"},
		{"SET " + long + " v", 0, long, "v"},
		{"DELETE k", 0, "k", ""},
		{"", EmptyCommand, "", ""},
		{" ", UnknownWord, "", ""},
		{"GET k", UnknownWord, "", ""},
		{"set k v", UnknownWord, "", ""},
		{"SET\tk v", UnknownWord, "", ""},
		{"SETk v", UnknownWord, "", ""},
		{"SET", MissingValue, "", ""},
		{"SET k", MissingValue, "", ""},
		{"SET  v", EmptyKey, "", ""},
		{"SET " + long + "k v", KeyTooLong, "", ""},
		{"SET k " + strings.Repeat("v", MaxValue+1), ValueTooLong, "", ""},
		{"DELETE", EmptyKey, "", ""},
		{"DELETE ", EmptyKey, "", ""},
		{"DELETE a b", SpaceInKey, "", ""},
		{"DELETE " + long + "k", KeyTooLong, "", ""},
		{"INCR k", 0, "k", ""},
		{"INCR k -9223372036854775808", 0, "k", ""},
		{"INCR", EmptyKey, "", ""},
		{"INCR  1", EmptyKey, "", ""},
		{"INCR k ", BadAmount, "", ""},
		{"INCR k 1 ", BadAmount, "", ""},
		{"INCR k +1", BadAmount, "", ""},
		{"INCR k 9223372036854775808", BadAmount, "", ""},
		{"INCR k 1.5", BadAmount, "", ""},
		{"INCR " + long + "k", KeyTooLong, "", ""},
		{"\x01\x01\x00\x00\x01\x00\x00\x00k", UnknownWord, "", ""}, // binary bytes are no text
	}
	for _, test := range tests {
		name := test.text[:min(len(test.text), 40)]
		b, err := ParseText(test.text)
		if test.refusal != 0 {
			if !errors.Is(err, test.refusal) || b != nil {
				t.Errorf("%q: %v, want %v", name, err, test.refusal)
			}
			continue
		}
		c, refusal := decode(b)
		if err != nil || refusal != 0 || string(c.key) != test.key || string(c.value) != test.value {
			t.Errorf("%q: key %q, value %q, %v", name, c.key, c.value, err)
		}
	}
}

func TestTextResults(t *testing.T) {
	s := New()
	for i, step := range []struct{ command, text, problem string }{
		{"SET k v", "OK", ""},
		{"DELETE k", "OK", ""},
		{"DELETE k", "", "key not found"},
		{"INCR n", "1", ""},
		{"INCR n -3", "-2", ""},
		{"SET k", "", "SET needs a key and a value: SET key value"},
	} {
		text, err := apply(t, s, i+1, []byte(step.command)).Text()
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if text != step.text || problem != step.problem {
			t.Errorf("%s: %q, %v", step.command, text, err)
		}
	}
}

func TestBinaryRefusals(t *testing.T) {
	put := Put("key", []byte("value"))
	with := func(at int, value byte) []byte {
		b := bytes.Clone(put)
		b[at] = value
		return b
	}
	for name, test := range map[string]struct {
		command []byte
		refusal Refusal
	}{
		"the longest":         {Put(strings.Repeat("k", MaxKey), make([]byte, MaxValue)), 0},
		"any bytes":           {Put("\x00\xff/../", []byte("\x00\xff")), 0},
		"nothing":             {nil, EmptyCommand},
		"version 0":           {with(0, 0), UnknownVersion},
		"version 2":           {with(0, 2), UnknownVersion},
		"operation 0":         {with(1, 0), UnknownOperation},
		"a reserved one":      {with(1, byte(opCompareAndSet)), UnknownOperation},
		"operation 255":       {with(1, 255), UnknownOperation},
		"padding":             {with(3, 1), Malformed},
		"half a header":       {put[:7], Malformed},
		"key beyond the end":  {with(4, 9), Malformed},
		"key of 4 GiB":        {with(7, 255), Malformed},
		"delete with a value": {with(1, byte(OpDelete)), Malformed},
		"half an amount":      {Increment("", 1)[:15], Malformed},
		"the longest lived":   {PutTTL("k", nil, math.MaxInt64), 0},
		"no time to live":     {PutTTL("k", nil, 0), BadTTL},
		"a negative one":      {PutTTL("k", nil, -1), BadTTL},
		"an amount too few":   {with(1, byte(OpPutTTL)), Malformed}, // no key follows
		"increment a value":   {append(Increment("k", 1), 'v'), Malformed},
		"the longest of all":  {PutTTL(strings.Repeat("k", MaxKey), make([]byte, MaxValue), 1), 0},
		"an empty key":        {Put("", nil), EmptyKey},
		"a long key":          {Put(strings.Repeat("k", MaxKey+1), nil), KeyTooLong},
		"a huge key":          {Put(strings.Repeat("k", 1<<17), nil), KeyTooLong},
		"a long value":        {Put("k", make([]byte, MaxValue+1)), ValueTooLong},
	} {
		s := New()
		if got := apply(t, s, 1, test.command).Refusal; got != test.refusal {
			t.Errorf("%s: %v, want %v", name, got, test.refusal)
		}
		if err := Validate(test.command); err != asError(test.refusal) {
			t.Errorf("%s: Validate: %v", name, err)
		}
		if test.refusal != 0 && (s.Len() != 0 || s.Revision() != 0) {
			t.Errorf("%s was refused and changed the map", name)
		}
	}
}

// TestRefusalNumbers holds numbers that results on disks and other nodes carry.
func TestRefusalNumbers(t *testing.T) {
	seen := map[string]bool{}
	for number, refusal := range []Refusal{
		1: EmptyCommand, 2: UnknownVersion, 3: UnknownOperation, 4: Malformed, 5: UnknownWord,
		6: MissingValue, 7: SpaceInKey, 8: EmptyKey, 9: KeyTooLong, 10: ValueTooLong, 11: NotANumber,
		12: Overflow, 13: BadTTL, 14: BadAmount, 15: 15,
	} {
		if int(refusal) != number || seen[refusal.Error()] {
			t.Errorf("refusal %d has number %d and says %q", number, refusal, refusal)
		}
		seen[refusal.Error()] = true
	}
}

func TestDecodeResultRefuses(t *testing.T) {
	good := Result{Operation: OpPut, Revision: 1}.encode()
	// Another version; an increment, which has a value; created neither yes nor no.
	for at, value := range map[int]byte{0: 2, 1: byte(OpIncrement), 2: 2} {
		bad := bytes.Clone(good)
		bad[at] = value
		if _, err := DecodeResult(bad); !errors.Is(err, ErrBadResult) {
			t.Errorf("byte %d is %d: %v", at, value, err)
		}
	}
	for _, bad := range [][]byte{nil, good[:15], append(good, 0)} {
		if _, err := DecodeResult(bad); !errors.Is(err, ErrBadResult) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

func TestIncrement(t *testing.T) {
	s := New()
	apply(t, s, 1, Put("word", []byte("ten")))
	apply(t, s, 2, Put("most", []byte("9223372036854775807")))
	apply(t, s, 3, Put("least", []byte("-9223372036854775808")))
	for i, step := range []struct {
		key    string
		by     int64
		result Result
	}{
		{"n", 5, Result{Created: true, Revision: 10, Value: 5}},
		{"n", -7, Result{Revision: 11, Value: -2}},
		{"n", 0, Result{Revision: 12, Value: -2}}, // a write like any other
		{"n", math.MaxInt64, Result{Revision: 13, Value: math.MaxInt64 - 2}},
		{"n", 3, Result{Refusal: Overflow, Revision: 13}},
		{"most", 1, Result{Refusal: Overflow, Revision: 13}},
		{"most", math.MinInt64, Result{Revision: 16, Value: -1}},
		{"least", -1, Result{Refusal: Overflow, Revision: 16}},
		{"least", math.MinInt64, Result{Refusal: Overflow, Revision: 16}},
		{"word", 1, Result{Refusal: NotANumber, Revision: 16}},
	} {
		step.result.Operation = OpIncrement
		if got := apply(t, s, 10+i, Increment(step.key, step.by)); got != step.result {
			t.Errorf("%s by %d: %+v, want %+v", step.key, step.by, got, step.result)
		}
	}
	item, _ := s.Get("n")
	if string(item.Value) != "9223372036854775805" || item.Created != 10 || item.Version != 4 {
		t.Errorf("the counter is %q of version %d, created at %d", item.Value, item.Version, item.Created)
	}
}

// TestOneSpellingOfANumber: what increment would rewrite in another spelling is left alone.
func TestOneSpellingOfANumber(t *testing.T) {
	for _, text := range []string{"", " 1", "1 ", "1\n", "+1", "01", "-0", "1e3", "1_000", "0x1", "1.0",
		"--1", "９", "9223372036854775808", "-9223372036854775809", strings.Repeat("1", MaxValue)} {
		s := New()
		apply(t, s, 1, Put("k", []byte(text)))
		if got := apply(t, s, 2, Increment("k", 0)); got.Refusal != NotANumber || got.Revision != 1 {
			t.Errorf("%.20q was incremented: %+v", text, got)
		}
	}
}

func TestApplyKeepsNoPartOfTheCommand(t *testing.T) {
	s, command := New(), Put("key", []byte("value"))
	apply(t, s, 1, command)
	clear(command)
	if item, found := s.Get("key"); !found || string(item.Value) != "value" {
		t.Errorf("the item is %q, %v after the command's memory was used again", item.Value, found)
	}
}

func TestViewsStandStill(t *testing.T) {
	s := New()
	for i := range 500 {
		apply(t, s, i+1, Put(fmt.Sprintf("%03d", i%200), fmt.Appendf(nil, "%d", i)))
	}
	view, before := s.View(), snapshot(t, s)
	for i := range 500 {
		apply(t, s, 501+i, Put(fmt.Sprintf("%03d", i), []byte("later")))
		apply(t, s, 1001+i, Delete(fmt.Sprintf("%03d", i/2)))
	}
	if !bytes.Equal(written(t, view), before) || view.Len() != 200 || view.Revision() != 500 {
		t.Error("later applies changed a view")
	}
	if item, _ := view.Get("199"); string(item.Value) != "399" {
		t.Errorf("the view holds %q under 199", item.Value)
	}
	next := 50
	for key := range view.From("05") {
		if key != fmt.Sprintf("%03d", next) {
			t.Fatalf("%q follows where %03d belongs", key, next)
		}
		if next++; next == 60 {
			break
		}
	}
}

// TestReadersBesideApply is for the race detector: everything that may run beside Apply does.
func TestReadersBesideApply(t *testing.T) {
	s := New()
	var readers sync.WaitGroup
	var stop atomic.Bool
	for range 3 {
		readers.Go(func() {
			for !stop.Load() {
				item, at, found := s.Read("7")
				if found && item.Modified > at {
					t.Errorf("an item of revision %d at revision %d", item.Modified, at)
				}
				for key, item := range s.View().From("") {
					_, _ = key, item.Value
				}
				_ = s.Len()
			}
		})
	}
	for i := range 2000 {
		command := Put(fmt.Sprint(i%97), fmt.Append(nil, i))
		if i%3 == 0 {
			command = Delete(fmt.Sprint(i % 89))
		}
		apply(t, s, i+1, command)
	}
	stop.Store(true)
	readers.Wait()
}
