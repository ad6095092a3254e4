package replica

import (
	"bytes"
	"testing"

	"balsa/raft"
)

// imageOf is the image that a ticket was answered with.
func (b *bench) imageOf(ticket raft.Ticket) string {
	b.t.Helper()
	a := b.answer(ticket)
	if a.Fate != Done || a.Image == nil || a.Image.Of.Last != a.Entry {
		b.t.Fatalf("ticket %d: %+v", ticket, a)
	}
	var state bytes.Buffer
	_, err := a.Image.State.WriteTo(&state)
	if err != nil {
		b.t.Fatal(err)
	}
	return state.String()
}

// A batch that would go past the index is cut there, and the image is that of exactly this entry, whenever it
// is read.
func TestAnImageIsOfItsEntry(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	b.lead()
	b.propose("one")
	b.settle()
	here := b.Applied()
	b.do(ImageAsked{Ticket: 900, Index: here + 2}, ImageAsked{Ticket: 901, Index: here},
		ImageAsked{Ticket: 902})
	b.capture()
	now := b.imageOf(901)
	if b.imageOf(902) != now || b.answer(901).Entry.Index != here {
		t.Error("what was asked for at once is not what is there")
	}
	b.propose("two", "three", "four", "five")
	b.write()
	if n := len(b.applies[0].Entries); n > 2 {
		t.Errorf("%d entries are applied at once: past the index", n)
	}
	b.settle()
	b.propose("six")
	b.settle()
	if a := b.answer(900); a.Entry.Index != here+2 || a.Image == nil || a.Image.Of.Time == 0 ||
		len(a.Image.Of.Members.Voters) != 1 {
		t.Errorf("%+v", a)
	}
	if got := b.imageOf(900); !bytes.Contains([]byte(got), []byte("three")) ||
		bytes.Contains([]byte(got), []byte("four")) {
		t.Errorf("the image holds %q", got)
	}
	if b.Newest().Last.Index != 0 {
		t.Error("a snapshot was kept for it")
	}
}

// Who asks too late, in vain, or of a server that stops, is told so once.
func TestImagesThatCannotBe(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	if b.do(ImageAsked{Ticket: 900}); b.answer(900).Fate != NothingNew {
		t.Errorf("of nothing: %+v", b.answer(900))
	}
	b.lead()
	b.propose("one", "two")
	b.settle()
	if b.do(ImageAsked{Ticket: 901, Index: b.Applied() - 1}); b.answer(901).Fate != Passed {
		t.Errorf("too late: %+v", b.answer(901))
	}
	b.propose("three", "four")
	for len(b.applies) == 0 || len(b.applies[0].Entries) < 2 {
		if len(b.applies) > 0 {
			b.apply()
			b.propose("five", "six")
		}
		b.write()
	}
	b.do(ImageAsked{Ticket: 902, Index: b.Applied() + 1}) // a batch that goes past it is being applied
	b.settle()
	if b.answer(902).Fate != Passed {
		t.Errorf("in the middle of a batch: %+v", b.answer(902))
	}
	far := b.Applied() + 100
	for n := range raft.Ticket(maxImages) {
		b.do(ImageAsked{Ticket: 910 + n, Index: far})
	}
	if b.do(ImageAsked{Ticket: 903, Index: far}); b.answer(903).Fate != Overloaded {
		t.Errorf("one too many: %+v", b.answer(903))
	}
	b.do(GaveUp{Ticket: 910}, ImageAsked{Ticket: 904, Index: far})
	b.waits(904)
	b.do(Wrote{Err: errDisk}, ImageAsked{Ticket: 905})
	for _, ticket := range []raft.Ticket{904, 905, 911} {
		if a := b.answer(ticket); a.Fate != Refused {
			t.Errorf("ticket %d after the stop: %+v", ticket, a)
		}
	}
	b.waits(910)
}

// An entry that only lets time pass takes the log one further and the machine nowhere.
func TestTimePasses(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	b.lead()
	b.propose("one")
	b.settle()
	here, applied := b.Applied(), len(b.machine.applied)
	b.do(TimePassed{Ticket: 900})
	b.settle()
	if a := b.answer(900); a.Fate != Done || a.Entry.Index != here+1 || len(b.machine.applied) != applied {
		t.Errorf("%+v, the machine was given %d commands", a, len(b.machine.applied)-applied)
	}
}

// A machine that jumps over an entry, restored from a snapshot, can never give the state after it; what was
// asked for before the restore, without naming an entry, is what was restored.
func TestAnImageBehindAJump(t *testing.T) {
	s := &modelSnapshots{}
	b := holdKept(t, 1, &modelLog{}, s)
	b.lead()
	b.untilCapture()
	b.capture()
	b.save()
	last := b.Newest().Last
	b.settle()
	again := holdKept(t, 1, b.log, s)
	again.do(ImageAsked{Ticket: 900, Index: last.Index - 1}, ImageAsked{Ticket: 901},
		ImageAsked{Ticket: 902, Index: last.Index})
	again.waits(900)
	again.restore()
	if a := again.answer(900); a.Fate != Passed {
		t.Errorf("of an entry that was jumped over: %+v", a)
	}
	again.capture()
	if again.imageOf(901) != again.imageOf(902) || again.answer(902).Entry != last {
		t.Errorf("of what was restored: %+v", again.answer(902))
	}
}
