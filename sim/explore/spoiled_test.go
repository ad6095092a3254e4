package explore

import (
	"errors"
	"strings"
	"testing"

	"balsa/raft"
)

// TestSpoiledHabitsAreFound spoils the drivers of the servers, one habit at a time, and demands that the
// exploration finds it: by the promise that is broken where the server's own disk is looked at, and with that
// check left out by what comes of it in the cluster.
func TestSpoiledHabitsAreFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		start  Start
		bounds Bounds
		habits habits
		want   string
	}{
		{"the vote is forgotten in a restart", Start{Name: Fresh}, Bounds{Timeouts: 2, Crashes: 1},
			habits{restore: forgetVote, trusting: true}, "Election Safety"},
		{"the end of the log is forgotten in a restart", Start{Name: Elected}, Bounds{Crashes: 1},
			habits{restore: forgetTail, trusting: true}, "Match is durable"},
		{"a write is acknowledged early", Start{Name: Fresh, PreVote: true}, Bounds{Timeouts: 1},
			habits{hasty: true}, "Promises rest on the disk"},
		{"an acknowledgement is sent early", Start{Name: Elected}, Bounds{Proposals: 1},
			habits{hasty: true, trusting: true}, "Match is durable"},
		{"everybody gets a vote", Start{Name: Fresh}, Bounds{Timeouts: 2},
			habits{send: grant}, "Promises rest on the disk"},
		{"everybody gets a vote, unchecked", Start{Name: Fresh}, Bounds{Timeouts: 2},
			habits{send: grant, trusting: true}, "Election Safety"},
		{"a denial counts as a vote", Start{Name: Elected}, Bounds{Timeouts: 1, Proposals: 1},
			habits{receive: takeForYes}, "Leader Completeness"},
		{"what is held is acknowledged", Start{Name: Elected}, Bounds{Proposals: 1, Heartbeats: 1},
			habits{send: matchIsHolds, trusting: true}, "Match is durable"},
		{"a command arrives altered", Start{Name: Elected}, Bounds{Proposals: 1},
			habits{receive: garble}, "Log Matching"},
		{"an answer of the last term counts", Start{Name: Fresh}, Bounds{Timeouts: 2},
			habits{receive: takeForNew}, "Late answers are ignored"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.bounds.States = 300_000
			report, err := run(c.start, c.bounds, c.habits, nil)
			var v *Violation
			if !errors.As(err, &v) || v.Property != c.want {
				t.Fatalf("want %q, got %v\n%v", c.want, err, report)
			}
			t.Logf("%s after %d actions, %d states: %s", v.Property, v.Depth, report.States, v.Sentence)
		})
	}
}

func forgetVote(r raft.Restored) raft.Restored {
	r.HardState.Vote = raft.None
	return r
}

func forgetTail(r raft.Restored) raft.Restored {
	r.Entries = r.Entries[:max(0, len(r.Entries)-1)]
	return r
}

func grant(l raft.Letter) raft.Letter {
	if m, ok := l.Message.(raft.RequestVoteResponse); ok {
		m.Granted = true
		l.Message = m
	}
	return l
}

func takeForYes(in raft.Receive) []raft.Receive {
	if m, ok := in.Message.(raft.RequestVoteResponse); ok {
		m.Granted = true
		in.Message = m
	}
	return []raft.Receive{in}
}

func takeForNew(in raft.Receive) []raft.Receive {
	if m, ok := in.Message.(raft.RequestVoteResponse); ok && m.Granted {
		m.Term++
		return []raft.Receive{in, {From: in.From, Message: m}}
	}
	return []raft.Receive{in}
}

func garble(in raft.Receive) []raft.Receive {
	if m, ok := in.Message.(raft.AppendEntries); ok && len(m.Entries) > 0 && len(m.Entries[0].Command) > 0 {
		altered := m.Entries[0]
		altered.Command = []byte("?")
		m.Entries = []raft.Entry{altered}
		in.Message = m
	}
	return []raft.Receive{in}
}

func matchIsHolds(l raft.Letter) raft.Letter {
	if m, ok := l.Message.(raft.AppendEntriesResponse); ok && !m.Rejected {
		m.Match = m.Holds
		l.Message = m
	}
	return l
}

// TestStoryCanBeRead shows the shortest way to a violation, as it is printed.
func TestStoryCanBeRead(t *testing.T) {
	_, err := run(Start{Name: Fresh}, Bounds{Timeouts: 2}, habits{send: grant, trusting: true}, nil)
	if err == nil {
		t.Fatal("it was not found")
	}
	t.Logf("\n%v", err)
	for _, want := range []string{
		"Election Safety does not hold after",
		"Three servers, fresh without pre-vote.",
		"  1. the election timer of 1 runs out.\n       1: became candidate of term 1",
		"1→2 RequestVote{Term:1 Last:0/t0 Forced:false} arrives.", "became leader of term 1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the story", want)
		}
	}
}
