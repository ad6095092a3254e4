package raft_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"balsa/raft"
)

// What the commands of transcripts do. Their words are listed in interpreter_test.go.

func (in *interpreter) doBoot(t *testing.T, args []string) {
	s := in.server(parseID(args[0]))
	s.disk = raft.Restored{Members: in.members, Incarnation: 1}
	field := ""
	for _, word := range args[1:] {
		n, err := strconv.ParseUint(word, 10, 64)
		switch {
		case err != nil:
			field = word
		case field == "term":
			s.disk.HardState.Term = raft.Term(n)
		case field == "vote":
			s.disk.HardState.Vote = raft.NodeID(n)
		case field == "log":
			next := raft.Index(len(s.disk.Entries) + 1)
			s.disk.Entries = append(s.disk.Entries, scriptEntry(next, raft.Term(n)))
		}
	}
	in.start(s)
}

// scriptEntry makes a command that differs between logs that differ.
func scriptEntry(index raft.Index, term raft.Term) raft.Entry {
	command := fmt.Appendf(nil, "%d.%d", index, term)
	return raft.Entry{Term: term, Index: index, Kind: raft.Normal, Command: command}
}

func (in *interpreter) doTimeout(t *testing.T, args []string) {
	s := in.server(parseID(args[0]))
	before := s.core.Status()
	for range scriptElectionMax + 1 {
		in.step(s, raft.Tick{})
		now := s.core.Status()
		if now.Term != before.Term || now.Role != before.Role ||
			now.Role == raft.PreCandidate && in.asks(s.id) {
			return
		}
	}
	t.Fatalf("server %v did not campaign", s.id)
}

// asks reports whether a pre-vote of that server is on its way.
func (in *interpreter) asks(id raft.NodeID) bool {
	for _, l := range in.network {
		if _, ok := l.message.(raft.PreVote); ok && l.from == id {
			return true
		}
	}
	return false
}

func (in *interpreter) doTick(t *testing.T, args []string) {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		in.step(in.server(parseID(args[0])), raft.Tick{})
	}
}

func (in *interpreter) doPropose(t *testing.T, args []string) {
	in.tickets++
	in.step(in.server(parseID(args[0])), raft.Propose{Ticket: in.tickets, Command: scriptCommandOf(args[1])})
}

// scriptCommandOf reads "x", or "x*100" for a hundred of them.
func scriptCommandOf(word string) []byte {
	what, times, repeated := strings.Cut(word, "*")
	if !repeated {
		return []byte(word)
	}
	n, err := strconv.Atoi(times)
	if err != nil {
		panic(err)
	}
	return []byte(strings.Repeat(what, n))
}

func (in *interpreter) doRead(t *testing.T, args []string) {
	in.tickets++
	in.step(in.server(parseID(args[0])), raft.ReadIndex{Ticket: in.tickets})
}

// doChange reads the fields of a Change, each a word before its ids.
func (in *interpreter) doChange(t *testing.T, args []string) {
	change, field, yes := raft.Change{}, "", true
	for _, word := range args[1:] {
		n, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			field = word
		}
		id, version, no := raft.NodeID(n), uint32(n), false
		switch {
		case word == "force":
			change.Force = true
		case word == "autopromote":
			change.AutoPromote = &yes
		case word == "manual":
			change.AutoPromote = &no
		case err != nil:
		case field == "add":
			life := in.server(id).disk.Incarnation
			change.Add = append(change.Add, raft.Member{ID: id, Incarnation: life, Address: "somewhere"})
		case field == "promote":
			change.Promote = append(change.Promote, id)
		case field == "demote":
			change.Demote = append(change.Demote, id)
		case field == "remove":
			change.Remove = append(change.Remove, id)
		case field == "update":
			change.Update = append(change.Update, raft.Member{ID: id, Address: "elsewhere"})
		case field == "version":
			change.Version = &version
		default:
			t.Fatalf("%q is no change", word)
		}
	}
	in.tickets++
	in.step(in.server(parseID(args[0])), raft.ChangeMembership{Ticket: in.tickets, Change: change})
}

func (in *interpreter) doTransfer(t *testing.T, args []string) {
	to := raft.None
	if len(args) > 1 {
		to = parseID(args[1])
	}
	in.tickets++
	in.step(in.server(parseID(args[0])), raft.Transfer{Ticket: in.tickets, To: to})
}

func (in *interpreter) doMembers(t *testing.T, args []string) {
	for _, s := range in.chosen(args) {
		if s.core != nil {
			in.print("%v  %s", s.id, formatMembers(s.core))
		}
	}
}

func (in *interpreter) doPass(t *testing.T, args []string) {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		for _, s := range in.servers {
			in.step(s, raft.Tick{})
		}
		in.doStabilize(t, nil)
	}
}

func (in *interpreter) doMachine(t *testing.T, args []string) {
	s := in.server(parseID(args[0]))
	if args[1] == "restoring" || args[1] == "restored" {
		in.step(s, raft.Readiness{Ready: args[1] == "restored"})
		return
	}
	s.slow = args[1] == "manual"
}

func (in *interpreter) doApply(t *testing.T, args []string) {
	if s := in.server(parseID(args[0])); s.behind > 0 {
		in.print("%v  has applied up to %d", s.id, s.behind)
		in.applied(s)
	}
}

func (in *interpreter) doDeliver(t *testing.T, args []string) {
	for _, l := range take(&in.network, parseLink(args)) {
		in.step(in.server(l.to), l.received())
	}
}

func (in *interpreter) doStabilize(t *testing.T, args []string) {
	waves := 0
	for ; len(in.network) > 0 && waves < 100; waves++ {
		in.doDeliver(t, nil)
	}
	if waves == 100 {
		t.Fatalf("messages are still on their way after %d waves", waves)
	}
}

func (in *interpreter) doDrop(t *testing.T, args []string) {
	for _, l := range take(&in.network, parseLink(args)) {
		in.print("%v → %v  %s   ✗ lost", l.from, l.to, in.format(l.message))
	}
}

func (in *interpreter) doDup(t *testing.T, args []string) {
	matches := parseLink(args)
	var twice []scriptLetter
	for _, l := range in.network {
		twice = append(twice, l)
		if matches(l.scriptLink) {
			twice = append(twice, l)
		}
	}
	in.network = twice
}

func (in *interpreter) doHold(t *testing.T, args []string) {
	in.waiting = append(in.waiting, take(&in.network, parseLink(args))...)
}

func (in *interpreter) doRelease(t *testing.T, args []string) {
	in.network = append(in.network, take(&in.waiting, parseLink(args))...)
}

// doCut loses what is on its way on these links, and what will be sent.
func (in *interpreter) doCut(t *testing.T, args []string) {
	matches := parseLink(args)
	take(&in.network, matches)
	for _, a := range in.servers {
		for _, b := range in.servers {
			if link := (scriptLink{a.id, b.id}); matches(link) {
				in.cut[link] = true
			}
		}
	}
}

func (in *interpreter) doHeal(t *testing.T, args []string) {
	matches := parseLink(args)
	maps.DeleteFunc(in.cut, func(l scriptLink, _ bool) bool { return matches(l) })
}

func (in *interpreter) doDisk(t *testing.T, args []string) {
	in.server(parseID(args[0])).manual = args[1] == "manual"
}

func (in *interpreter) doPersist(t *testing.T, args []string) {
	s, count := in.server(parseID(args[0])), 1<<30
	if len(args) > 1 {
		count, _ = strconv.Atoi(args[1])
	}
	in.persist(s, count)
}

func (in *interpreter) doCrash(t *testing.T, args []string) {
	s := in.server(parseID(args[0]))
	if len(args) == 3 && args[1] == "keeping" {
		count, _ := strconv.Atoi(args[2])
		for _, w := range s.writes[:count] {
			keep(&s.disk, w)
		}
	}
	s.core, s.writes = nil, nil
}

func (in *interpreter) doRestart(t *testing.T, args []string) { in.start(in.server(parseID(args[0]))) }

func (in *interpreter) doWipe(t *testing.T, args []string) {
	s := in.server(parseID(args[0]))
	s.disk = raft.Restored{Joins: true, Incarnation: s.disk.Incarnation + 1}
	in.start(s)
}

// doSend delivers a message at once that nobody sent: `send 3->1 AppendEntries term 1 entries 1 1`.
func (in *interpreter) doSend(t *testing.T, args []string) {
	from, to, _ := strings.Cut(args[0], "->")
	message, sequence := parseMessage(args[1], args[2:])
	in.step(in.server(parseID(to)), raft.Receive{From: parseID(from), Sequence: sequence, Message: message})
}

func (in *interpreter) doLog(t *testing.T, args []string) {
	for _, s := range in.chosen(args) {
		if s.core == nil {
			in.print("%v  down; on disk: %s", s.id, formatTerms(s.disk.Entries))
			continue
		}
		entries := logOf(s)
		in.print("%v  %-28s commit %d, durable %d", s.id, formatTerms(entries),
			s.core.Status().Commit, s.core.Status().Durable)
	}
}

// logOf puts together what is on disk and what was handed out to be written.
func logOf(s *scriptServer) []raft.Entry {
	whole := s.disk
	for _, w := range s.writes {
		keep(&whole, w)
	}
	return whole.Entries
}

func (in *interpreter) doStatus(t *testing.T, args []string) {
	for _, s := range in.chosen(args) {
		if s.core == nil {
			hard := s.disk.HardState
			in.print("%v  down; on disk: term %d, vote %s", s.id, hard.Term, formatID(hard.Vote))
			continue
		}
		in.print("%v  %s", s.id, formatStatus(s.core.Status()))
	}
}

func (in *interpreter) chosen(args []string) (chosen []*scriptServer) {
	if len(args) == 0 {
		return in.servers
	}
	for _, a := range args {
		chosen = append(chosen, in.server(parseID(a)))
	}
	return chosen
}
