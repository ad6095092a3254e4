package replica

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"balsa/raft"
)

// TestProposalsTogether are answered each with its own result, and at a follower each goes its own way.
func TestProposalsTogether(t *testing.T) {
	b := hold(t, 3, &modelLog{})
	b.lead()
	b.acknowledge(2)
	b.settle()
	b.do(AllProposed{Proposals: []Proposed{
		{Ticket: 1, Command: []byte("a")},
		{Ticket: 2, Once: Once{What: CloseSession, Session: 99}},
		{Ticket: 3, Command: []byte("c"), Local: true},
	}})
	b.settle()
	b.acknowledge(2)
	b.settle()
	var ends []string
	for _, a := range b.answers {
		ends = append(ends, fmt.Sprintf("%d %v %s", a.Ticket, a.Fate, a.Result))
	}
	want := []string{fmt.Sprintf("1 %v #1 2/t1 a", Done), fmt.Sprintf("2 %v ", SessionGone),
		fmt.Sprintf("3 %v #2 4/t1 c", Done)}
	if !slices.Equal(ends, want) {
		t.Errorf("%q, want %q", ends, want)
	}

	b.answers, b.sent = nil, nil
	b.do(b.from(2, raft.AppendEntries{Term: 5, Prev: at(4, 1)}))
	b.settle()
	b.do(AllProposed{Proposals: []Proposed{{Ticket: 4, Command: []byte("d"), Local: true}, {Ticket: 5}}})
	forwarded := slices.ContainsFunc(b.sent, func(e raft.Envelope) bool {
		m, is := e.Message.(raft.ForwardProposal)
		return is && e.To == 2 && len(m.Command) == 0
	})
	if len(b.answers) != 1 || b.answers[0].Ticket != 4 || b.answers[0].Fate != NotLeader || !forwarded {
		t.Errorf("a follower answers %+v, and has forwarded the other: %v", b.answers, forwarded)
	}

	b.answers = nil
	b.do(Wrote{Err: errors.New("input/output error")})
	b.do(AllProposed{Proposals: []Proposed{{Ticket: 6}, {Ticket: 7}}})
	refused := 0
	for _, a := range b.answers {
		if a.Ticket >= 6 && a.Fate == Refused {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("after the end two proposals are answered by %+v", b.answers)
	}
}

// TestProposalsTakeNoMemoryOfTheirOwn: from what many callers propose to their answers, a leader allocates
// for each batch and not for each command.
func TestProposalsTakeNoMemoryOfTheirOwn(t *testing.T) {
	const each = 1000
	b := hold(t, 1, &modelLog{})
	b.front = NewMachine(mute{})
	b.lead()
	all := make([]Proposed, each)
	command := []byte("a command")
	answered := 0
	n := testing.AllocsPerRun(50, func() {
		for i := range all {
			all[i] = Proposed{Ticket: raft.Ticket(i + 1), Command: command}
		}
		b.Step(b.now, AllProposed{Proposals: all})
		b.carryOut(func(w Apply) { b.Step(b.now, w.Perform(b.front)) }, func(*Answer) { answered++ })
	})
	if answered != 51*each || n > 80 {
		t.Errorf("%v allocations for each %d proposals, %d answers", n, each, answered)
	}
}

// carryOut does all that a single server wants done, writes as if the disk took no time.
func (b *bench) carryOut(apply func(Apply), answer func(*Answer)) {
	for work := b.Work(); len(work) > 0; work = b.Work() {
		for _, w := range work {
			switch w := w.(type) {
			case Write:
				b.Step(b.now, Wrote{Number: w.Number, Peers: w.Peers})
			case Apply:
				apply(w)
			case *Answer:
				answer(w)
			}
		}
	}
}

// mute is a state machine that keeps nothing.
type mute struct{}

func (mute) Apply(raft.Entry) []byte        { return nil }
func (mute) Snapshot() (io.WriterTo, error) { return nil, errors.ErrUnsupported }
func (mute) Restore(io.Reader) error        { return errors.ErrUnsupported }

// TestResultsAreTakenAndTheirMemoryServesAgain: the memory for the results of an Apply is that of the one
// before, and holds no result any more when the replica has taken them.
func TestResultsAreTakenAndTheirMemoryServesAgain(t *testing.T) {
	b := hold(t, 1, &modelLog{})
	b.front = NewMachine(echo{})
	b.lead()
	var was []Result
	for i := range 3 {
		b.Step(b.now, Proposed{Ticket: raft.Ticket(i + 1), Command: []byte("a command")})
		b.carryOut(func(w Apply) {
			ran := w.Perform(b.front)
			if was != nil && &ran.Results[0] != &was[0] {
				t.Error("the results lie in other memory than those before")
			}
			was = ran.Results
			b.Step(b.now, ran)
			if was[0].Bytes != nil {
				t.Error("a result that was taken is kept")
			}
		}, func(a *Answer) {
			if string(a.Result) != "a command" {
				t.Errorf("the result is %q", a.Result)
			}
		})
	}
	if was == nil {
		t.Error("nothing was applied")
	}
}

// TestMemoryForResultsIsBounded: there is room for each, and no more is kept than serves again.
func TestMemoryForResultsIsBounded(t *testing.T) {
	var m Machine
	for _, n := range []int{1, 100, roomAtMost, roomAtMost + 1, 50, 1} {
		if got := m.results(n); len(got) != n || cap(m.room) > roomAtMost {
			t.Errorf("room for %d results of %d, %d are kept", len(got), n, cap(m.room))
		}
	}
}

// echo is a state machine that returns each command.
type echo struct{ mute }

func (echo) Apply(e raft.Entry) []byte { return e.Command }
