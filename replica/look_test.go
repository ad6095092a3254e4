package replica

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"balsa/raft"
)

// lister is a state machine that is the list of its commands.
type lister struct{ bytes.Buffer }

func (l *lister) Apply(e raft.Entry) []byte      { l.Write(e.Command); return e.Command }
func (l *lister) Snapshot() (io.WriterTo, error) { return bytes.NewBuffer(bytes.Clone(l.Bytes())), nil }
func (l *lister) Restore(r io.Reader) error      { _, err := l.ReadFrom(r); return err }

// What proposals become is read back as what they were, and what no proposal becomes is refused.
func TestDecodeOnceReadsWhatIsProposed(t *testing.T) {
	for name, o := range map[string]Once{
		"open":    {What: OpenSession, TTL: 5},
		"close":   {What: CloseSession, Session: 3},
		"command": {What: InSession, Session: 3, Number: 9},
		"keyed":   {What: UnderKey, Key: "k", TTL: 7},
		"clock":   {What: passTime},
	} {
		var given []byte
		if o.What == InSession || o.What == UnderKey {
			given = []byte("set it")
		}
		_, payload := o.encode(given)
		got, command, err := DecodeOnce(payload)
		if err != nil || got != o || !bytes.Equal(command, given) || got.What.String() != name {
			t.Errorf("%s: %+v %q, %v", name, got, command, err)
		}
	}
	if s := Plain.String() + OnceKind(99).String(); s != "plainunknown" {
		t.Errorf("%q", s)
	}
	if _, _, err := DecodeOnce([]byte("rubbish")); err == nil {
		t.Error("rubbish was read")
	}
}

// ReadImage counts what an image holds, has the machine's part read, and refuses what no server restores.
func TestReadImage(t *testing.T) {
	m := NewMachine(&lister{})
	var last raft.EntryID
	for i, o := range []Once{{What: OpenSession, TTL: 1000}, {What: OpenSession, TTL: 1000}, {},
		{What: InSession, Session: 1, Number: 1}, {What: UnderKey, Key: "k", TTL: 7}} {
		e := raft.Entry{Term: 1, Index: raft.Index(i + 1), Time: 1}
		e.Kind, e.Command = o.encode([]byte("ab"))
		if _, err := m.apply(e); err != nil {
			t.Fatal(err)
		}
		last = e.ID()
	}
	image, err := m.capture()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := image.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	var rest []byte
	whole := func(r io.Reader) (err error) { rest, err = io.ReadAll(r); return err }
	got, err := ReadImage(last, bytes.NewReader(b.Bytes()), whole)
	want := Remembered{Sessions: 2, Keys: 1, Bytes: rememberedOverhead + 2 + keyOverhead + 1 + 2}
	if err != nil || got != want || string(rest) != "ababab" {
		t.Errorf("%+v, %q, %v; want %+v", got, rest, err, want)
	}
	refused := errors.New("refused")
	other := bytes.NewReader(b.Bytes())
	if _, err := ReadImage(last, other, func(io.Reader) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("the machine's error became %v", err)
	}
	if _, err := ReadImage(last, bytes.NewReader(b.Bytes()[:3]), whole); !errors.Is(err, ErrBadImage) {
		t.Errorf("three bytes: %v", err)
	}
}
