package raft_test

import (
	"fmt"
	"strconv"
	"strings"

	"balsa/raft"
)

// How transcripts show what travels, and how they write down what is sent by hand.

func formatMessage(m raft.Message) string {
	switch m := m.(type) {
	case raft.PreVote:
		return fmt.Sprintf("PreVote: term %d, last %v", m.Term, m.Last)
	case raft.PreVoteResponse:
		return fmt.Sprintf("PreVoteResponse: term %d, %s", m.Term, formatGranted(m.Granted))
	case raft.RequestVote:
		if m.Forced {
			return fmt.Sprintf("RequestVote: term %d, last %v, forced", m.Term, m.Last)
		}
		return fmt.Sprintf("RequestVote: term %d, last %v", m.Term, m.Last)
	case raft.RequestVoteResponse:
		return fmt.Sprintf("RequestVoteResponse: term %d, %s", m.Term, formatGranted(m.Granted))
	case raft.AppendEntries:
		return formatAppend(m)
	case raft.AppendEntriesResponse:
		return formatAppendResponse(m)
	case raft.RepairFloor:
		return fmt.Sprintf("RepairFloor: number %d", m.Number)
	case raft.RepairFloorResponse:
		return fmt.Sprintf("RepairFloorResponse: number %d, floor %d", m.Number, m.Floor)
	case raft.TimeoutNow:
		return fmt.Sprintf("TimeoutNow: term %d, round %d", m.Term, m.Round)
	}
	return fmt.Sprintf("%T", m)
}

// format is formatMessage with the round, in a cluster whose transcript wants to see it.
func (in *interpreter) format(m raft.Message) string {
	text := formatMessage(m)
	if !in.options.rounds {
		return text
	}
	switch m := m.(type) {
	case raft.AppendEntries:
		text += fmt.Sprintf(", round %d", m.Round)
	case raft.AppendEntriesResponse:
		text += fmt.Sprintf(", round %d", m.Round)
	}
	return text
}

func formatAppendResponse(m raft.AppendEntriesResponse) string {
	text := fmt.Sprintf("AppendEntriesResponse: term %d, match %d", m.Term, m.Match)
	if m.Rejected {
		text = fmt.Sprintf("AppendEntriesResponse: term %d, rejected, conflict %v", m.Term, m.Conflict)
	}
	if m.Repairing {
		text += fmt.Sprintf(", repairing, floor %d", m.Floor)
	}
	if m.Rejected {
		return text
	}
	if m.Holds != m.Match {
		text += fmt.Sprintf(", holds %d", m.Holds)
	}
	if m.Busy {
		text += ", busy"
	}
	return text
}

func formatAppend(m raft.AppendEntries) string {
	what := "no entries"
	if len(m.Entries) > 0 {
		what = formatEntries(m.Entries)
	}
	return fmt.Sprintf("AppendEntries: term %d, after %v %s, commit %d", m.Term, m.Prev, what, m.Commit)
}

func formatGranted(yes bool) string {
	if yes {
		return "granted"
	}
	return "denied"
}

func formatEntries(entries []raft.Entry) string {
	var parts []string
	for _, e := range entries {
		what := e.Kind.String()
		if e.Kind == raft.Normal {
			what = formatCommand(e.Command)
		}
		parts = append(parts, fmt.Sprintf("%v %s", e.ID(), what))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// formatCommand shows a short command, and of a long one its first byte and its length.
func formatCommand(command []byte) string {
	if len(command) > 20 {
		return fmt.Sprintf("%q*%d", command[:1], len(command))
	}
	return strconv.Quote(string(command))
}

// formatTerms draws a log as Figure 7 does: the term of each entry.
func formatTerms(entries []raft.Entry) string {
	var terms []string
	for _, e := range entries {
		terms = append(terms, strconv.FormatUint(uint64(e.Term), 10))
	}
	return "log " + strings.Join(terms, " ")
}

func formatWrite(o raft.Output) string {
	var parts []string
	if h := o.HardState; h != nil {
		parts = append(parts, fmt.Sprintf("term %d, vote %s", h.Term, formatID(h.Vote)))
	}
	if len(o.Entries) > 0 {
		parts = append(parts, formatEntries(o.Entries))
	}
	if o.Repaired {
		parts = append(parts, "the mark goes")
	}
	return strings.Join(parts, "; ")
}

func formatAnswer(a raft.Answer) string {
	if a.Refusal == raft.Accepted && a.Entry == (raft.EntryID{}) {
		return fmt.Sprintf("transfer %d is done", a.Ticket)
	}
	if a.Refusal == raft.Accepted {
		return fmt.Sprintf("proposal %d stands at %v", a.Ticket, a.Entry)
	}
	return fmt.Sprintf("proposal %d refused, %v", a.Ticket, a.Refusal)
}

// formatMembers shows the configuration in force.
func formatMembers(c *raft.Core) string {
	m, s := c.Members(), c.Status()
	text := fmt.Sprintf("of entry %d: voters %v", s.Configuration, m.Voters)
	if s.Joint {
		text += fmt.Sprintf(" and %v", m.Outgoing)
	}
	if len(m.Learners) > 0 {
		text += fmt.Sprintf(", learners %v", m.Learners)
	}
	for _, p := range s.Progress {
		if p.Departing {
			text += fmt.Sprintf(", %v leaves", p.ID)
		}
	}
	return text
}

func formatReading(r raft.Reading) string {
	if r.Refusal == raft.Accepted {
		return fmt.Sprintf("read %d may be served from index %d on", r.Ticket, r.Index)
	}
	return fmt.Sprintf("read %d refused, %v", r.Ticket, r.Refusal)
}

func formatStatus(s raft.Status) string {
	text := fmt.Sprintf("%v of term %d, vote %s, leader %s, last %v, durable %d, commit %d, applied %d",
		s.Role, s.Term, formatID(s.Vote), formatID(s.Leader), s.Last, s.Durable, s.Commit, s.Applied)
	if s.Refused > 0 {
		text += fmt.Sprintf(", refused %d", s.Refused)
	}
	for _, p := range s.Progress {
		text += fmt.Sprintf("; %v has %d, next %d", p.ID, p.Match, p.Next)
	}
	return text
}

func formatID(id raft.NodeID) string {
	if id == raft.None {
		return "none"
	}
	return id.String()
}

// sentByHand is a message as a transcript writes it: words and numbers.
type sentByHand struct {
	numbers map[string]uint64
	ids     map[string]raft.EntryID
	terms   []raft.Term // of the entries
	said    map[string]bool
}

func parseMessage(kind string, words []string) (raft.Message, raft.Sequence) {
	h := sentByHand{numbers: map[string]uint64{}, ids: map[string]raft.EntryID{}, said: map[string]bool{}}
	field := ""
	for _, word := range words {
		n, err := strconv.ParseUint(word, 10, 64)
		var id raft.EntryID
		_, notID := fmt.Sscanf(word, "%d/t%d", &id.Index, &id.Term)
		switch {
		case err == nil && field == "entries":
			h.terms = append(h.terms, raft.Term(n))
		case err == nil:
			h.numbers[field] = n
		case notID == nil:
			h.ids[field] = id
		default:
			field = word
			h.said[word] = true
		}
	}
	return h.message(kind), raft.Sequence(h.numbers["sequence"])
}

func (h sentByHand) message(kind string) raft.Message {
	term := raft.Term(h.numbers["term"])
	switch kind {
	case "PreVote":
		return raft.PreVote{Term: term, Last: h.ids["last"]}
	case "PreVoteResponse":
		return raft.PreVoteResponse{Term: term, Granted: h.said["granted"]}
	case "RequestVote":
		return raft.RequestVote{Term: term, Last: h.ids["last"], Forced: h.said["forced"]}
	case "RequestVoteResponse":
		return raft.RequestVoteResponse{Term: term, Granted: h.said["granted"]}
	case "AppendEntries":
		m := raft.AppendEntries{Term: term, Prev: h.ids["prev"], Commit: raft.Index(h.numbers["commit"]),
			Round: raft.Round(h.numbers["round"])}
		for i, t := range h.terms {
			index := m.Prev.Index + 1 + raft.Index(i) + raft.Index(h.numbers["gap"])
			m.Entries = append(m.Entries, scriptEntry(index, t))
		}
		return m
	case "AppendEntriesResponse":
		return raft.AppendEntriesResponse{
			Term:     term,
			Round:    raft.Round(h.numbers["round"]),
			Match:    raft.Index(h.numbers["match"]),
			Holds:    raft.Index(max(h.numbers["match"], h.numbers["holds"])),
			Busy:     h.said["busy"],
			Rejected: h.said["rejected"], Repairing: h.said["repairing"],
			Conflict: h.ids["conflict"],
		}
	case "TimeoutNow":
		return raft.TimeoutNow{Term: term, Round: raft.Round(h.numbers["round"])}
	}
	panic("no such message: " + kind)
}
