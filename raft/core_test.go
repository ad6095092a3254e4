package raft

import (
	"math"
	"strings"
	"testing"
)

// three is a configuration of three voters.
func three() Configuration { return NewConfiguration(map[NodeID]string{1: "a", 2: "b", 3: "c"}) }

// newCore starts server 1 of three. What was restored is on its disk.
func newCore(t *testing.T, restored Restored) *Core {
	t.Helper()
	restored.Members = three()
	c, err := New(Config{ID: 1, NoPreVote: true, Events: true}, restored)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// campaignNow lets time pass until the server is a candidate. Its vote is not durable yet.
func campaignNow(t *testing.T, c *Core) {
	t.Helper()
	for range 100 {
		if c.Step(0, Tick{}); c.role == Candidate {
			return
		}
	}
	t.Fatal("the server does not campaign")
}

// leadNow makes the server the leader of the next term, with everything on its disk but what it appended as
// leader.
func leadNow(t *testing.T, c *Core) {
	t.Helper()
	campaignNow(t, c)
	c.Step(0, Persisted{Write: c.Output().Write})
	c.Step(0, Receive{From: 2, Message: RequestVoteResponse{Term: c.hard.Term, Granted: true}})
	if c.role != Leader {
		t.Fatalf("with two of three votes the server is %v", c.role)
	}
}

func TestConfigIsValidated(t *testing.T) {
	tests := []struct {
		claim  string
		config Config
		want   string // a part of the error; empty when there is none
	}{
		{"only the id is required", Config{ID: 1}, ""},
		{"the maximum follows the minimum", Config{ID: 1, ElectionMin: 100}, ""},
		{"no id", Config{}, "Config.ID must be positive"},
		{"a negative heartbeat", Config{ID: 1, Heartbeat: -1},
			"Config.Heartbeat is -1 ticks, at least 1 is needed"},
		{"no patience beyond the heartbeat", Config{ID: 1, Heartbeat: 10, ElectionMin: 10},
			"Config.ElectionMin (10 ticks) must exceed Heartbeat (10 ticks)"},
		{"a maximum below the minimum", Config{ID: 1, ElectionMin: 60, ElectionMax: 59},
			"Config.ElectionMax (59 ticks) is below ElectionMin (60 ticks)"},
		{"no room for entries", Config{ID: 1, Limits: Limits{AppendBytes: -1}},
			"must be positive"},
		{"no room for proposals", Config{ID: 1, Limits: Limits{UncommittedBytes: -1}}, "must be positive"},
		{"minimum and maximum may be equal", Config{ID: 1, ElectionMin: 60, ElectionMax: 60}, ""},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			_, err := New(test.config, Restored{Members: three()})
			demandError(t, err, test.want)
		})
	}
}

func TestRestoredIsValidated(t *testing.T) {
	entry := func(term Term, index Index, kind Kind) Entry {
		return Entry{Term: term, Index: index, Kind: kind}
	}
	late := HardState{Term: 9}
	good := []Entry{entry(1, 1, NoOp), entry(1, 2, Normal), entry(3, 3, NoOp)}
	tests := []struct {
		claim    string
		restored Restored
		want     string
	}{
		{"a first start", Restored{Members: three()}, ""},
		{"a log", Restored{HardState: HardState{Term: 3}, Entries: good, Members: three()}, ""},
		{"nobody to vote", Restored{}, "the configuration names no voter"},
		{"a voter that is no member", Restored{Members: Configuration{Voters: []NodeID{1}}},
			"server 1 has a role and is no member"},
		{"a log that begins in the middle", Restored{HardState: late, Entries: good[1:], Members: three()},
			"restored entry 2/t1 of kind normal cannot follow 0/t0"},
		{"a gap", Restored{HardState: late, Entries: []Entry{good[0], good[2]}, Members: three()},
			"restored entry 3/t3 of kind noop cannot follow 1/t1"},
		{"a term that falls", Restored{HardState: late,
			Entries: []Entry{entry(2, 1, NoOp), entry(1, 2, NoOp)}, Members: three()},
			"restored entry 2/t1 of kind noop cannot follow 1/t2"},
		{"an entry without a term", Restored{Entries: []Entry{entry(0, 1, Normal)}, Members: three()},
			"restored entry 1/t0 of kind normal cannot follow 0/t0"},
		{"an entry of no kind", Restored{HardState: late, Entries: []Entry{entry(1, 1, 9)}, Members: three()},
			"restored entry 1/t1 of kind kind9 cannot follow 0/t0"},
		{"a log from the future", Restored{HardState: HardState{Term: 2}, Entries: good, Members: three()},
			"the restored log ends in 3/t3, beyond the restored term 2"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			_, err := New(Config{ID: 1}, test.restored)
			demandError(t, err, test.want)
		})
	}
}

func demandError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && err == nil:
		t.Errorf("accepted, want %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("refused with %q, want %q", err, want)
	}
}

// TestSameInputsMakeTheSameServer: the list of inputs is the execution, chance included.
func TestSameInputsMakeTheSameServer(t *testing.T) {
	noOp := []Entry{{Term: 1, Index: 1, Kind: NoOp}}
	inputs := []Input{
		Receive{From: 2, Sequence: 1, Message: RequestVote{Term: 1}},
		Persisted{Write: 1},
		Receive{From: 2, Sequence: 2, Message: AppendEntries{Term: 1, Entries: noOp, Commit: 1}},
		Persisted{Write: 2},
		Applied{Index: 1},
		Propose{Ticket: 1, Command: []byte("x")},
	}
	for range 200 {
		inputs = append(inputs, Tick{})
	}
	a, b := newCore(t, Restored{}), newCore(t, Restored{})
	digests := map[uint64]bool{}
	for i, in := range inputs {
		a.Step(Time(i), in)
		b.Step(Time(i), in)
		a.Output()
		b.Output()
		if a.Digest() != b.Digest() {
			t.Fatalf("after input %d (%T) two servers differ that were fed the same", i, in)
		}
		digests[a.Digest()] = true
	}
	if len(digests) != len(inputs) {
		t.Errorf("%d inputs made %d states", len(inputs), len(digests))
	}
	other, err := New(Config{ID: 1, NoPreVote: true, Seed: 7}, Restored{Members: three()})
	if err != nil {
		t.Fatal(err)
	}
	if other.Digest() == newCore(t, Restored{}).Digest() {
		t.Error("servers with different dice have the same digest")
	}
}

// TestViolationsOfTheDriver: what the driver may not do stops the server with a sentence.
func TestViolationsOfTheDriver(t *testing.T) {
	tests := map[string]Input{
		"the driver acknowledged a write that was not handed out": Persisted{Write: 1},
		"the driver applied what was not handed out as committed": Applied{Index: 1},
		"unknown input": nil,
	}
	for sentence, in := range tests {
		t.Run(sentence, func(t *testing.T) {
			defer func() {
				v, _ := recover().(Violation)
				if !strings.Contains(v.Error(), sentence) {
					t.Errorf("it panicked with %q", v.Error())
				}
			}()
			newCore(t, Restored{}).Step(0, in)
		})
	}
}

// TestNoVoteCountsBeforeItWasAskedFor: the requests of a candidate leave when its own vote is durable.
// Whoever claims to have voted before is not correct, and must not be able to stop us, nor make us lead a
// term that a crash would forget.
func TestNoVoteCountsBeforeItWasAskedFor(t *testing.T) {
	c := newCore(t, Restored{})
	campaignNow(t, c)
	write := c.Output().Write
	for _, from := range []NodeID{2, 3} {
		c.Step(0, Receive{From: from, Message: RequestVoteResponse{Term: 1, Granted: true}})
	}
	if c.role != Candidate || c.refused != 2 {
		t.Errorf("the server is %v and refused %d, want a candidate that refused 2", c.role, c.refused)
	}
	c.Step(0, Persisted{Write: write})
	c.Step(0, Receive{From: 3, Message: RequestVoteResponse{Term: 1, Granted: true}})
	if c.role != Leader {
		t.Errorf("with two durable votes the server is %v", c.role)
	}
}

// TestTermsThatNobodyCanBeInAreRefused: a server that took over the highest of all terms could not begin
// the next one, and term 0 is before any election.
func TestTermsThatNobodyCanBeInAreRefused(t *testing.T) {
	for _, m := range []Message{
		RequestVote{Term: math.MaxUint64},
		RequestVoteResponse{Term: math.MaxUint64},
		AppendEntries{Term: math.MaxUint64},
		AppendEntriesResponse{Term: math.MaxUint64},
		PreVote{Term: math.MaxUint64},
		PreVoteResponse{Term: math.MaxUint64},
		PreVote{}, RequestVote{}, AppendEntries{},
	} {
		c := newCore(t, Restored{})
		c.Step(0, Receive{From: 2, Message: m})
		if c.hard != (HardState{}) || c.leader != None || c.refused != 1 {
			t.Errorf("%T of term %d: %+v, leader %v, refused %d", m, m.term(), c.hard, c.leader, c.refused)
		}
		campaignNow(t, c)
	}
}

// TestLogTimeNeverGoesBack: not when the new leader's clock is behind, and not when a clock is far beyond
// all others.
func TestLogTimeNeverGoesBack(t *testing.T) {
	k := clock{now: 100}
	k.catchUp(500)
	before := k.logTime()
	for _, now := range []Time{101, 300, 501, math.MaxInt64 - 100, math.MaxInt64} {
		k.now = now
		if k.logTime() < before {
			t.Errorf("log time went back from %d to %d when the clock went to %d", before, k.logTime(), now)
		}
		before = k.logTime()
	}
	k = clock{now: 700}
	k.catchUp(500)
	if k.logTime() != 700 {
		t.Errorf("a clock that is ahead of the log tells %d, want its own 700", k.logTime())
	}
}

// TestEntriesBearLogTime: what a leader appends is not older than the last entry, although its clock is.
func TestEntriesBearLogTime(t *testing.T) {
	last := Entry{Term: 1, Index: 1, Time: 1000, Kind: Normal}
	c := newCore(t, Restored{HardState: HardState{Term: 1}, Entries: []Entry{last}})
	leadNow(t, c)
	c.Step(5, Propose{Command: []byte("x")})
	c.Step(3, Propose{Command: []byte("y")})
	want := []Time{1000, 1000, 1005, 1005}
	for i, e := range c.log.between(0, c.log.last().Index) {
		if e.Time != want[i] {
			t.Errorf("entry %v has log time %d, want %d", e.ID(), e.Time, want[i])
		}
	}
}

// TestUncommittedBytesAreBounded: a leader that commits nothing refuses further proposals, but not the
// first of any size.
func TestUncommittedBytesAreBounded(t *testing.T) {
	c := newCore(t, Restored{})
	c.config.Limits.UncommittedBytes = 3 * entryOverhead
	leadNow(t, c)
	refused := 0
	for range 10 {
		c.Step(0, Propose{Command: []byte("12345678")})
		for _, a := range c.Output().Answers {
			if a.Refusal == Overloaded {
				refused++
			}
		}
	}
	if refused != 8 || c.Status().Uncommitted != 3*entryOverhead+16 {
		t.Errorf("refused %d proposals, with %d bytes uncommitted", refused, c.Status().Uncommitted)
	}
	c.Step(0, Receive{From: 2, Message: AppendEntriesResponse{Term: 1, Round: 1, Match: 3}})
	c.Step(0, Receive{From: 3, Message: AppendEntriesResponse{Term: 1, Round: 1, Match: 3}})
	if c.Status().Uncommitted != 0 || c.commitIndex != 3 {
		t.Errorf("committed up to %d, %d bytes uncommitted", c.commitIndex, c.Status().Uncommitted)
	}
	c.Step(0, Propose{Command: make([]byte, 1000)})
	if a := c.Output().Answers; len(a) != 1 || a[0].Refusal != Accepted {
		t.Errorf("a large proposal with nothing else uncommitted: %+v", a)
	}
	c.Step(0, Receive{From: 2, Message: AppendEntriesResponse{Term: 9, Rejected: true}})
	if c.Status().Uncommitted != 0 {
		t.Errorf("a follower reports %d uncommitted bytes, which are a leader's", c.Status().Uncommitted)
	}
}

// TestALearnerNeverCampaigns: who has no vote waits for whoever leads (thesis §4.2.1), and votes
// nevertheless when asked: the candidate may know of a newer configuration.
func TestALearnerNeverCampaigns(t *testing.T) {
	members := three()
	members.Voters, members.Learners = []NodeID{2, 3}, []NodeID{1}
	for _, noPreVote := range []bool{true, false} {
		c, err := New(Config{ID: 1, NoPreVote: noPreVote}, Restored{Members: members})
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			c.Step(0, Tick{})
		}
		if out := c.Output(); c.role != Follower || c.hard.Term != 0 || len(out.Messages) > 0 {
			t.Errorf("a learner became %v of term %d and sends %v", c.role, c.hard.Term, out.Messages)
		}
		c.Step(0, Receive{From: 2, Message: RequestVote{Term: 1}})
		if c.hard != (HardState{Term: 1, Vote: 2}) {
			t.Errorf("asked for its vote in term 1, a learner has %+v", c.hard)
		}
	}
}

// TestAMessageThatIsNoneIsRefused: a transport with a bug must not stop a server.
func TestAMessageThatIsNoneIsRefused(t *testing.T) {
	c := newCore(t, Restored{})
	c.Step(0, Receive{From: 2})
	if got := c.Status().Refused; got != 1 {
		t.Errorf("refused %d messages, want 1", got)
	}
}

// TestATermThatNobodyReachesIsRefused: taken over and made durable, it would leave no term to campaign in,
// and so end the cluster for good. Near any term that is taken, the next one is taken too.
func TestATermThatNobodyReachesIsRefused(t *testing.T) {
	c := newCore(t, Restored{})
	c.Step(0, Receive{From: 2, Message: RequestVote{Term: maxJump + 1}})
	if c.hard.Term != 0 || c.refused != 1 {
		t.Fatalf("in term %d, having refused %d messages", c.hard.Term, c.refused)
	}
	c.Step(0, Receive{From: 2, Message: RequestVote{Term: maxJump}})
	c.Step(0, Receive{From: 3, Message: RequestVote{Term: maxJump + 1}})
	if c.hard.Term != maxJump+1 || c.refused != 1 {
		t.Errorf("in term %d, having refused %d messages", c.hard.Term, c.refused)
	}
}
