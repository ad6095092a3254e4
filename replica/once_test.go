package replica

import (
	"bytes"
	"strings"
	"testing"

	"balsa/raft"
)

var everyOnce = []Once{
	{What: OpenSession, TTL: 1 << 40},
	{What: CloseSession, Session: 7},
	{What: InSession, Session: 7, Number: 1 << 63},
	{What: UnderKey, Key: strings.Repeat("k", MaxKey), TTL: 1},
	{What: passTime},
}

func TestEntriesOfSessionsComeBack(t *testing.T) {
	for _, once := range everyOnce {
		command := []byte("command")
		if once.What != InSession && once.What != UnderKey {
			command = nil
		}
		kind, b := once.encode(command)
		got, rest, err := decodeOnce(b)
		if kind != raft.Session || err != nil || got != once || !bytes.Equal(rest, command) {
			t.Errorf("%+v came back as %+v %q, %v", once, got, rest, err)
		}
		for cut := range b[:len(b)-len(command)] {
			if _, _, err := decodeOnce(b[:cut]); err == nil {
				t.Errorf("%+v cut off after %d bytes was taken", once, cut)
			}
		}
	}
	if kind, b := (Once{}).encode([]byte("x")); kind != raft.Normal || string(b) != "x" {
		t.Errorf("a plain command is encoded as %v %q", kind, b)
	}
}

func TestWhatIsNoEntryOfSessionsIsRefused(t *testing.T) {
	for name, b := range map[string]string{
		"a later version":      "\x02\x05",
		"version 0":            "\x00\x05",
		"a later kind":         "\x01\x06",
		"a plain one":          "\x01\x00",
		"a byte too many":      "\x01\x05x",
		"a ttl of 0":           "\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00",
		"a ttl below 0":        "\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff",
		"session 0":            "\x01\x02\x00\x00\x00\x00\x00\x00\x00\x00",
		"number 0":             "\x01\x03\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"no key":               "\x01\x04\x07\x00\x00\x00\x00\x00\x00\x00\x00",
		"a key that is longer": "\x01\x04\x07\x00\x00\x00\x00\x00\x00\x00\x81" + strings.Repeat("k", 129),
	} {
		if once, _, err := decodeOnce([]byte(b)); err == nil {
			t.Errorf("%s was taken for %+v", name, once)
		}
	}
}

func TestCheckNamesWhatNobodyMayPropose(t *testing.T) {
	for name, once := range map[string]Once{
		"the entry of the leader itself": {What: passTime},
		"a session without a ttl":        {What: OpenSession},
		"a session for ever and a day":   {What: OpenSession, TTL: -1},
		"an opening with a session":      {What: OpenSession, TTL: 1, Session: 3},
		"a plain command with a key":     {Key: "k"},
		"a number without a session":     {What: InSession, Number: 3},
		"a session without a number":     {What: InSession, Session: 3},
		"no key":                         {What: UnderKey, TTL: 1},
		"a key that is too long":         {What: UnderKey, TTL: 1, Key: strings.Repeat("k", MaxKey+1)},
	} {
		if once.Check() == nil {
			t.Errorf("%s passed", name)
		}
	}
	for _, once := range append(everyOnce[:4:4], Once{}) {
		if err := once.Check(); err != nil {
			t.Errorf("%+v: %v", once, err)
		}
	}
}

func FuzzDecodeOnce(f *testing.F) {
	for _, once := range everyOnce {
		_, b := once.encode([]byte("x"))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		once, command, err := decodeOnce(b)
		if err != nil {
			return
		}
		if kind, again := once.encode(command); kind != raft.Session || !bytes.Equal(again, b) {
			t.Errorf("%x is %+v, which is written as %x", b, once, again)
		}
	})
}
