package replica

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"balsa/raft"
)

// ledger is the simplest machine in which an effect that happens twice can be seen: it writes everything
// down, and keeps each line until its time has come, if it has one.
type ledger struct {
	lines []line
}

type line struct {
	text string
	ends raft.Time // 0: never
}

func (l *ledger) Apply(e raft.Entry) []byte {
	ends := raft.Time(0)
	if strings.HasPrefix(string(e.Command), "for a while ") {
		ends = e.Time + 50
	}
	l.lines = append(l.lines, line{fmt.Sprintf("%d %s", e.Index, e.Command), ends})
	return fmt.Appendf(nil, "%d: %s", len(l.lines), e.Command)
}

func (l *ledger) NextExpiry() (at raft.Time, any bool) {
	for _, x := range l.lines {
		if x.ends != 0 && (!any || x.ends < at) {
			at, any = x.ends, true
		}
	}
	return at, any
}

func (l *ledger) Expire(e raft.Entry) {
	l.lines = slices.DeleteFunc(l.lines, func(x line) bool { return x.ends != 0 && x.ends <= e.Time })
}

func (l *ledger) Snapshot() (io.WriterTo, error) {
	var b bytes.Buffer
	for _, x := range l.lines {
		fmt.Fprintf(&b, "%d %s\n", x.ends, x.text)
	}
	return blob(b.Bytes()), nil
}

func (l *ledger) Restore(r io.Reader) error {
	all, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l.lines = nil
	for text := range strings.Lines(string(all)) {
		ends, rest, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
		x := line{text: rest}
		if _, err := fmt.Sscan(ends, &x.ends); err != nil {
			return err
		}
		l.lines = append(l.lines, x)
	}
	return nil
}

// blob is written as it is, as often as wanted.
type blob []byte

func (b blob) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

// small is a machine whose sessions and keys have bounds that a short history reaches.
func small() (*Machine, *ledger) {
	l := &ledger{}
	m := NewMachineWithin(l,
		Limits{Sessions: smallLimits.sessions, Numbers: smallLimits.numbers, Keys: smallKeys.keys})
	m.sessions.limits.bytes, m.keys.limits.bytes = smallLimits.bytes, smallKeys.bytes
	return m, l
}

// Three keys of short commands reach the bound on keys, two of long ones that on bytes.
var (
	smallLimits = sessionLimits{sessions: 4, numbers: 3, bytes: 400}
	smallKeys   = keyLimits{keys: 3, bytes: 90}
)

func imageOf(t interface{ Fatal(...any) }, m *Machine) []byte {
	captured, err := m.capture()
	if err != nil {
		t.Fatal(err)
	}
	return bytesOf(t, captured)
}

func bytesOf(t interface{ Fatal(...any) }, image io.WriterTo) []byte {
	var b bytes.Buffer
	if n, err := image.WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatal(n, b.Len(), err)
	}
	return b.Bytes()
}

// restoredFrom is a small machine in the state of an image.
func restoredFrom(t interface{ Fatal(...any) }, last raft.EntryID, image []byte) (*Machine, *ledger) {
	m, l := small()
	if err := m.restore(last, bytes.NewReader(image)); err != nil {
		t.Fatal(err)
	}
	return m, l
}

// randomHistory draws entries as leaders may append them: sessions opened, used, used again, closed, keys,
// plain commands, no-ops, and time that stands still, creeps or jumps.
func randomHistory(t *rapid.T) []raft.Entry {
	var entries []raft.Entry
	now := raft.Time(1000)
	number := rapid.Uint64Range(1, 5)
	opened := []raft.Index{1} // or not, that makes a session that never was
	for i := range rapid.SampledFrom([]int{120, 60, 20, 5}).Draw(t, "entries") {
		now += raft.Time(rapid.SampledFrom([]int{0, 1, 2, 5, 10, 100}).Draw(t, "time"))
		e := raft.Entry{Term: 1, Index: raft.Index(i + 1), Time: now, Kind: raft.Normal}
		command := fmt.Appendf(nil, "%d", rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "command"))
		if rapid.IntRange(0, 4).Draw(t, "lasts") == 0 {
			command = append([]byte("for a while "), command...)
		}
		ttl := raft.Time(rapid.SampledFrom([]int{200, 1000, 50, 1}).Draw(t, "ttl"))
		session := opened[len(opened)-1-rapid.IntRange(0, min(len(opened)-1, 4)).Draw(t, "session")]
		once := Once{}
		switch rapid.IntRange(0, 10).Draw(t, "what") {
		case 0:
			e.Kind, command = raft.NoOp, nil
		case 1:
			once = Once{What: OpenSession, TTL: ttl}
			command, opened = nil, append(opened, e.Index)
		case 2:
			once = Once{What: CloseSession, Session: session}
			command = nil
		case 3, 4, 5, 6:
			once = Once{What: InSession, Session: session, Number: number.Draw(t, "number")}
		case 7, 8:
			key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "key")
			once = Once{What: UnderKey, Key: key, TTL: ttl}
		case 9:
			once, command = Once{What: passTime}, nil
		}
		if e.Kind != raft.NoOp {
			e.Kind, e.Command = once.encode(command)
		}
		entries = append(entries, e)
	}
	return entries
}

func applyAll(t interface{ Fatal(...any) }, m *Machine, entries []raft.Entry) (results []Result) {
	if len(entries) == 0 {
		return nil
	}
	ran := Apply{Entries: entries}.Perform(m)
	if ran.Err != nil {
		t.Fatal(ran.Err)
	}
	if due := m.due(); due != ran.Due {
		t.Fatal(due, ran.Due)
	}
	return slices.Clone(ran.Results)
}

// E10, C7: the state of a snapshot and the entries behind it is the state of all entries, and so is every
// result. What was captured is not changed by what is applied afterwards.
func TestASnapshotAndItsTailAreTheWholeHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := randomHistory(t)
		cut := rapid.IntRange(0, len(entries)).Draw(t, "cut")

		whole, lines := small()
		results := applyAll(t, whole, entries)

		first, _ := small()
		early := applyAll(t, first, entries[:cut])
		captured, err := first.capture()
		if err != nil {
			t.Fatal(err)
		}
		before := bytesOf(t, captured)
		applyAll(t, first, entries[cut:])
		if !bytes.Equal(bytesOf(t, captured), before) {
			t.Fatal("what was captured has changed since")
		}

		last := raft.EntryID{}
		if cut > 0 {
			last = entries[cut-1].ID()
		}
		second, again := restoredFrom(t, last, before)
		late := applyAll(t, second, entries[cut:])
		if !slices.EqualFunc(slices.Concat(early, late), results, equalResults) {
			t.Fatalf("results %v and %v, of the whole history %v", early, late, results)
		}
		if !slices.Equal(again.lines, lines.lines) {
			t.Fatalf("%v, of the whole history %v", again.lines, lines.lines)
		}
		image := imageOf(t, whole)
		if !bytes.Equal(imageOf(t, second), image) || !bytes.Equal(imageOf(t, first), image) {
			t.Fatal("equal states are written differently")
		}
		if second.due() != whole.due() {
			t.Fatalf("due at %d and at %d", second.due(), whole.due())
		}
	})
}

func equalResults(a, b Result) bool {
	return bytes.Equal(a.Bytes, b.Bytes) && a.Replayed == b.Replayed && a.Fate == b.Fate
}

// model is what sessions and keys are to be, written down without any thought of speed.
type model struct {
	open []modelled // the one that was not used for the longest time is the first
	keys []modelled // in no order
	n    int        // commands applied
}

type modelled struct {
	id     raft.Index
	key    string
	ttl    raft.Time
	usedAt raft.Time
	floor  uint64
	kept   map[uint64]modelledResult
}

type modelledResult struct{ command, result string }

func (m *model) apply(e raft.Entry) (want Result) {
	over := func(s modelled) bool { return s.usedAt+s.ttl <= e.Time }
	m.open, m.keys = slices.DeleteFunc(m.open, over), slices.DeleteFunc(m.keys, over)
	if e.Kind == raft.NoOp {
		return Result{}
	}
	once, command := Once{}, e.Command
	if e.Kind == raft.Session {
		once, command, _ = decodeOnce(e.Command)
	}
	at := slices.IndexFunc(m.open, func(s modelled) bool { return s.id == once.Session })
	switch once.What {
	case Plain:
		return Result{Bytes: []byte(m.run(command))}
	case OpenSession:
		if len(m.open) == smallLimits.sessions {
			m.open = m.open[1:]
		}
		m.open = append(m.open,
			modelled{id: e.Index, ttl: once.TTL, usedAt: e.Time, kept: map[uint64]modelledResult{}})
	case CloseSession:
		if at < 0 {
			return Result{Fate: SessionGone}
		}
		m.open = slices.Delete(m.open, at, at+1)
	case InSession:
		if at < 0 {
			return Result{Fate: SessionGone}
		}
		s := m.open[at]
		if s.isAnothers(once.Number, command) {
			return Result{Fate: KeyReused}
		}
		s.usedAt = e.Time
		m.open = append(slices.Delete(m.open, at, at+1), s)
		return m.numbered(&m.open[len(m.open)-1], once.Number, command)
	case UnderKey:
		return m.keyed(e, once, command)
	}
	return Result{}
}

func (m *model) run(command []byte) string { m.n++; return fmt.Sprintf("%d: %s", m.n, command) }

func (s *modelled) isAnothers(number uint64, command []byte) bool {
	first, known := s.kept[number]
	return known && first.command != string(command)
}

func (m *model) numbered(s *modelled, number uint64, command []byte) Result {
	first, known := s.kept[number]
	switch {
	case known:
		return Result{Bytes: []byte(first.result), Replayed: true}
	case number <= s.floor:
		return Result{Fate: SessionGone}
	}
	result := m.run(command)
	s.kept[number] = modelledResult{string(command), result}
	if len(s.kept) > smallLimits.numbers {
		lowest := uint64(math.MaxUint64)
		for number := range s.kept {
			lowest = min(lowest, number)
		}
		delete(s.kept, lowest)
		s.floor = lowest
	}
	return Result{Bytes: []byte(result)}
}

func (m *model) keyed(e raft.Entry, once Once, command []byte) Result {
	remembered := 0
	for i, k := range m.keys {
		if k.key == once.Key && k.isAnothers(1, command) {
			return Result{Fate: KeyReused}
		}
		if k.key == once.Key {
			m.keys[i].usedAt = e.Time
			return m.numbered(&m.keys[i], 1, command)
		}
		remembered += keyOverhead + len(k.key) + len(k.kept[1].result)
	}
	if len(m.keys) == smallKeys.keys || remembered >= smallKeys.bytes {
		return Result{Fate: TooManyKeys}
	}
	k := modelled{key: once.Key, ttl: once.TTL, usedAt: e.Time, kept: map[uint64]modelledResult{}}
	result := m.numbered(&k, 1, command)
	m.keys = append(m.keys, k)
	return result
}

// A command of a session or under a key is applied once, a repeated one gets the first result, another one in
// its place and one without room are refused, and what is forgotten is said to be: compared with a model,
// entry by entry.
func TestSessionsDoWhatTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machine, _ := small()
		machine.sessions.limits.bytes = math.MaxInt
		machine.inner, machine.expirer = &counter{}, nil
		reference := &model{}
		for _, e := range randomHistory(t) {
			want := reference.apply(e)
			if got := applyAll(t, machine, []raft.Entry{e})[0]; !equalResults(got, want) {
				t.Fatalf("%v: %+v, the model says %+v", e, got, want)
			}
			sessions, keys := machine.sessions.count(), machine.keys.count()
			if sessions != len(reference.open) || keys != len(reference.keys) {
				t.Fatalf("%d sessions and %d keys, the model has %d and %d", sessions, keys,
					len(reference.open), len(reference.keys))
			}
		}
	})
}

// counter numbers the commands that it is given.
type counter struct{ n int }

func (c *counter) Apply(e raft.Entry) []byte {
	c.n++
	return fmt.Appendf(nil, "%d: %s", c.n, e.Command)
}
func (c *counter) Snapshot() (io.WriterTo, error) { return blob(fmt.Sprint(c.n)), nil }
func (c *counter) Restore(r io.Reader) error      { _, err := fmt.Fscan(r, &c.n); return err }
