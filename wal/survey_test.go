package wal

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// walk reads a disk with Walk, and puts together the entries that it shows.
func walk(t testing.TB, m *disk.Memory) (Recovered, error) {
	t.Helper()
	m.Kill()
	dir, err := m.Open()
	ok(t, err)
	var shown []raft.Entry
	r, err := Walk(dir, func(p Piece) error {
		if p.Restart {
			shown = nil
		}
		for _, e := range p.Entries {
			shown = slices.DeleteFunc(shown, func(old raft.Entry) bool { return old.Index >= e.Index })
			e.Command = slices.Clone(e.Command)
			shown = append(shown, e)
		}
		return nil
	})
	if len(r.Entries) > 0 {
		t.Error("Walk keeps what it shows")
	}
	r.Entries = slices.DeleteFunc(shown, func(e raft.Entry) bool { return e.Index <= r.Before.Index })
	return r, errors.Join(err, dir.Close())
}

// Walk says of every log what Inspect says, whatever bit of it has changed, and shows what it holds.
func TestWalkJudgesAsInspectDoes(t *testing.T) {
	for what, r := range states(t) {
		for _, name := range r.disk.Names() {
			for bit := int64(3); bit < 8*int64(len(r.disk.Read(name))); bit += 8*37 + 1 {
				m := r.disk.Clone()
				m.Flip(name, bit)
				want, wrong := inspect(m)
				got, err := walk(t, m)
				if (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error() {
					t.Fatalf("log%s, bit %d of %s: %v\nwant %v", what, bit, name, err, wrong)
				}
				same := held(want).equal(got) && got.Torn == want.Torn && got.Start == want.Start &&
					len(got.Copies) == len(want.Copies)
				if err == nil && !same {
					t.Fatalf("log%s, bit %d of %s: %v\nwant %v", what, bit, name, held(got), held(want))
				}
			}
		}
	}
}

// A bad copy of the identity is told, whichever it is, also when the log is damaged.
func TestWhatIsWrongWithACopyIsTold(t *testing.T) {
	r, _ := newRotten(t)
	for _, name := range identityNames() {
		for _, damagedToo := range []bool{false, true} {
			m := r.disk.Clone()
			m.Flip(name, 8*20)
			if damagedToo {
				m.Flip(segmentName(2), 0)
			}
			got, err := inspect(m)
			var d *Damage
			if len(got.Copies) != 1 || !errors.As(got.Copies[0], &d) || d.File != name {
				t.Errorf("copies %v", got.Copies)
			}
			if damagedToo != (err != nil) || got.Identity.Node != 2 {
				t.Errorf("error %v, identity %+v", err, got.Identity)
			}
			m.Delete(name)
			got, _ = inspect(m)
			if len(got.Copies) != 1 || !errors.Is(got.Copies[0], fs.ErrNotExist) {
				t.Errorf("copies %v", got.Copies)
			}
		}
	}
	if got, err := inspect(r.disk); err != nil || got.Copies != nil {
		t.Errorf("nothing is wrong: %v, %v", got.Copies, err)
	}
}

// CheckSegments finds in each segment what no crash explains, whatever is wrong with the others, and nothing
// in those that are good.
func TestCheckSegments(t *testing.T) {
	check := func(m *disk.Memory, skip string) []error {
		m.Kill()
		dir, err := m.Open()
		ok(t, err)
		return CheckSegments(dir, func(name string) bool { return name == skip })
	}
	for what, r := range states(t) {
		if wrong := check(r.disk, ""); wrong != nil {
			t.Fatalf("log%s: %v", what, wrong)
		}
	}
	r, _ := newRotten(t)
	m := r.disk.Clone()
	m.Flip(segmentName(1), 8*8)                  // the version
	m.Flip(segmentName(2), 8*(segmentHeader+30)) // the content of the first batch
	m.Flip(segmentName(3), 8*segmentHeader)      // its header
	wrong := check(m, "")
	for i, err := range wrong {
		if d := (*Damage)(nil); !errors.As(err, &d) || d.File != segmentName(uint64(i)+1) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(wrong) != 3 {
		t.Errorf("found %v", wrong)
	}
	if wrong = check(m, segmentName(2)); len(wrong) != 2 {
		t.Errorf("without the second: %v", wrong)
	}
}
