package main

import (
	"fmt"
	"io"
	"strings"

	"balsa/raft"
	"balsa/sim"
)

// lastEvents is how many events before the end of a replay are shown.
const lastEvents = 40

// sight takes down the events that are worth showing: those of a window, or the last ones.
type sight struct {
	window seedRange // of positions; zero: the last ones
	to     io.Writer // where the lines of a window go at once; nil: they are kept
	last   []string
}

// see is shown every event of a run. Ticks and empty heartbeats are most of what happens in a run and say
// least, so only a window has them.
func (s *sight) see(r sim.Record) {
	if s.window.last > 0 {
		if r.Position < s.window.first || r.Position > s.window.last {
			return
		}
		if s.to != nil {
			fmt.Fprintln(s.to, eventLine(r))
			return
		}
		s.last = append(s.last, eventLine(r))
		return
	}
	if m, is := r.Message.(raft.AppendEntries); r.Kind == sim.Ticked || is && len(m.Entries) == 0 {
		return
	}
	s.last = append(s.last, eventLine(r))
	if len(s.last) > 100*lastEvents {
		s.last = append(s.last[:0], s.last[len(s.last)-lastEvents:]...)
	}
}

func (s *sight) lines() []string {
	if s.window.last > 0 {
		return s.last
	}
	return s.last[max(len(s.last)-lastEvents, 0):]
}

// eventLine is an event in one line: which, when, who, what.
func eventLine(r sim.Record) string {
	who := fmt.Sprintf("n%v", r.Node)
	if r.Node == raft.None {
		who = "all"
	}
	text := r.Text
	switch {
	case r.Event != nil:
		text = r.Event.String()
	case r.Op != nil:
		text = r.Op.String()
	case r.Message != nil:
		text = messageText(r.Message)
	}
	switch r.Kind {
	case sim.Sent, sim.Dropped:
		who = fmt.Sprintf("n%v→n%v", r.Node, r.Peer)
	case sim.Delivered:
		who = fmt.Sprintf("n%v→n%v", r.Peer, r.Node)
	case sim.Called, sim.Taken, sim.Replied, sim.Heard, sim.TimedOut:
		who = fmt.Sprintf("c%v n%v", r.Peer, r.Node)
	case sim.Intervened:
		who = "*"
	}
	line := fmt.Sprintf("e%-6d %-13v %-6s %-10v %s", r.Position, r.Time, who, r.Kind, firstLine(text))
	return clip(strings.TrimRight(line, " "), 180)
}

// messageText is a message without what it carries to the state machine.
func messageText(m raft.Message) string {
	a, is := m.(raft.AppendEntries)
	if !is {
		return strings.TrimPrefix(fmt.Sprintf("%T %+v", m, m), "raft.")
	}
	var entries []string
	for _, e := range a.Entries {
		entries = append(entries, fmt.Sprintf("%v (%v)", e.ID(), e.Kind))
	}
	return fmt.Sprintf("AppendEntries {Term:%d Prev:%v Entries:[%s] Commit:%d Round:%d}", a.Term, a.Prev,
		strings.Join(entries, " "), a.Commit, a.Round)
}

// clip cuts what is too long for a line, between characters.
func clip(text string, most int) string {
	for i := range text {
		if most == 0 {
			return text[:i] + " …"
		}
		most--
	}
	return text
}
