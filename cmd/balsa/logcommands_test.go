package main

import (
	"encoding/json"
	"strings"
	"testing"

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
)

// Each command is written as people read it, and as an object that says the same.
func TestCommandsForPeople(t *testing.T) {
	keyed := append([]byte("\x02id"), kv.PutTTL("k", []byte("v"), 1500e6)...)
	for _, c := range []struct {
		kind    raft.Kind
		command []byte
		text    string
		object  string
	}{
		{raft.NoOp, nil, "", `null`},
		{raft.Normal, kv.Put("k", []byte("\x00\xff")), `put "k" = "\x00\xff"`,
			`{"operation":"put","key":"k","value_base64":"AP8="}`},
		{raft.Normal, kv.Put("k", nil), `put "k" = ""`, `{"operation":"put","key":"k","value":""}`},
		{raft.Normal, kv.Delete("\xff"), `delete "\xff"`, `{"operation":"delete","key_base64":"/w=="}`},
		{raft.Normal, []byte("INCR n 3"), `increment "n" by 3`, `{"operation":"increment","key":"n","by":3}`},
		{raft.Normal, nil, `cannot be read (` + kv.EmptyCommand.Error() + `): ""`,
			`{"unknown":"` + kv.EmptyCommand.Error() + `","bytes":""}`},
		{raft.Normal, []byte{9, 0xff}, `cannot be read (` + kv.UnknownVersion.Error() + `): "\t\xff"`,
			`{"unknown":"` + kv.UnknownVersion.Error() + `","bytes_base64":"Cf8="}`},
		{raft.Session, sessionEntry(replica.OpenSession, []uint64{hour}), "open a session for 1h0m0s",
			`{"session":"open","session_ttl":"1h0m0s"}`},
		{raft.Session, sessionEntry(replica.CloseSession, []uint64{7}), "close session 7",
			`{"session":"close","session_id":7}`},
		{raft.Session, sessionEntry(replica.InSession, []uint64{7, 3}, kv.Delete("k")...),
			`session 7, number 3: delete "k"`,
			`{"session":"command","session_id":7,"number":3,"operation":"delete","key":"k"}`},
		{raft.Session, sessionEntry(replica.UnderKey, []uint64{hour}, keyed...),
			`once as "id", for 1h0m0s: put "k" for 1.5s = "v"`, `{"session":"keyed","idempotency_key":"id",` +
				`"session_ttl":"1h0m0s","operation":"put-ttl","key":"k","value":"v","ttl":"1.5s"}`},
		{raft.Session, sessionEntry(5, nil), "clock", `{"session":"clock"}`},
		{raft.ConfigurationChange, []byte("x"), `cannot be read (`, `{"unknown":`},
	} {
		e := raft.Entry{Kind: c.kind, Command: c.command}
		if got := commandText(e, true); got != c.text && (c.kind != raft.ConfigurationChange ||
			!strings.HasPrefix(got, c.text)) {
			t.Errorf("%s\nwant %s", got, c.text)
		}
		got, err := json.Marshal(commandOf(e))
		if string(got) != c.object && (c.kind != raft.ConfigurationChange ||
			!strings.HasPrefix(string(got), c.object)) || err != nil {
			t.Errorf("%s, %v\nwant %s", got, err, c.object)
		}
	}
}

// A long value is cut in a table and whole in what programs read.
func TestLongValuesAreCut(t *testing.T) {
	e := raft.Entry{Kind: raft.Normal, Command: kv.Put("k", []byte(strings.Repeat("ab", 500)))}
	short, whole := commandText(e, true), commandText(e, false)
	if len(short) > 100 || !strings.HasSuffix(short, "… (1000 bytes)") || len(whole) < 1000 {
		t.Errorf("%s\n%s", short, whole)
	}
}
