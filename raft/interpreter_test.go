package raft_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"balsa/raft"
)

// The timing of transcripts, in ticks. Small numbers keep `tick` readable.
const (
	scriptHeartbeat   = 3
	scriptElectionMin = 10
	scriptElectionMax = 20
)

// interpreter runs the commands of a transcript on a cluster in memory. Nothing moves by itself: time
// passes by `tick`, messages travel by `deliver`, and a disk that is `manual` keeps nothing before
// `persist`.
type interpreter struct {
	servers []*scriptServer // sorted by id
	members raft.Configuration
	network []scriptLetter // on their way, in the order in which they were sent
	waiting []scriptLetter // taken off the network by `hold`
	cut     map[scriptLink]bool
	options scriptOptions
	mute    bool
	lines   []string
	tickets raft.Ticket
}

type scriptLink struct{ from, to raft.NodeID }

type scriptLetter struct {
	scriptLink
	sequence raft.Sequence
	message  raft.Message
	life     raft.Incarnation // of the sender
}

func (l scriptLetter) received() raft.Receive {
	return raft.Receive{From: l.from, Incarnation: l.life, Sequence: l.sequence, Message: l.message}
}

// scriptServer is one server with its disk. What was written and is not acknowledged is lost by a crash.
type scriptServer struct {
	id     raft.NodeID
	core   *raft.Core // nil while it is down
	disk   raft.Restored
	writes []raft.Output // handed out, not yet durable
	manual bool
	slow   bool       // its state machine applies only by `apply`
	behind raft.Index // committed and not applied; 0 if nothing is
}

func newInterpreter() *interpreter { return &interpreter{cut: map[scriptLink]bool{}} }

// scriptCommand is what a transcript may say: how it is written, and what it does.
type scriptCommand struct {
	verb, example string
	do            func(in *interpreter, t *testing.T, args []string)
}

func scriptCommands() []scriptCommand {
	return []scriptCommand{
		{
			"cluster",
			"cluster 3 [noprevote [3]] [nocheckquorum] [single] [window 2] [inflight 100] [append 100] " +
				"[backlog 100] [uncommitted 100] [rounds] [join 2] (noprevote 3: that server alone; " +
				"single: at most one entry in an AppendEntries; rounds: messages are shown with their " +
				"rounds; join 2: two more servers, which are no members yet)",
			(*interpreter).doCluster,
		},
		{
			"boot",
			"boot 1 term 7 [vote 2] log 1 1 1 4 (a restart with that disk; the log as terms)",
			(*interpreter).doBoot,
		},
		{"timeout", "timeout 1 (ticks one server until it campaigns)", (*interpreter).doTimeout},
		{"tick", "tick 2 40", (*interpreter).doTick},
		{"pass", "pass 20 (ticks everybody, and delivers everything after each tick)", (*interpreter).doPass},
		{"propose", "propose 1 x | propose 1 x*100 (100 bytes)", (*interpreter).doPropose},
		{"read", "read 1", (*interpreter).doRead},
		{
			"change",
			"change 1 add 4 promote 5 demote 2 remove 1 3 update 2 force autopromote | manual | version 7",
			(*interpreter).doChange,
		},
		{"transfer", "transfer 1 [3]", (*interpreter).doTransfer},
		{"members", "members [1] (the configuration in force)", (*interpreter).doMembers},
		{"deliver", "deliver [1->2] (what is on its way now, not the answers)", (*interpreter).doDeliver},
		{"stabilize", "stabilize (delivers until nothing is on its way)", (*interpreter).doStabilize},
		{"drop", "drop [1->2] (what is on its way)", (*interpreter).doDrop},
		{"dup", "dup [1->2] (everything on its way arrives twice)", (*interpreter).doDup},
		{"hold", "hold [1->2] (delays what is on its way)", (*interpreter).doHold},
		{"release", "release [1->2] (puts what was held back on its way)", (*interpreter).doRelease},
		{"cut", "cut 1->2 | cut 3 (loses what is sent there from now on)", (*interpreter).doCut},
		{"heal", "heal [1->2] (mends every cut, or one)", (*interpreter).doHeal},
		{"disk", "disk 3 manual|auto", (*interpreter).doDisk},
		{"persist", "persist 3 [1] (acknowledges all writes, or the oldest one)", (*interpreter).doPersist},
		{"machine", "machine 3 manual|auto|restoring|restored", (*interpreter).doMachine},
		{"apply", "apply 3 (everything committed)", (*interpreter).doApply},
		{
			"crash",
			"crash 3 [keeping 1] (what is not durable is lost, but for the oldest writes)",
			(*interpreter).doCrash,
		},
		{"restart", "restart 3", (*interpreter).doRestart},
		{"wipe", "wipe 3 (a restart with an empty disk, to join)", (*interpreter).doWipe},
		{
			"damage",
			"damage 3 [keeping 2] (a restart with the mark, and without hard state and log, but for the " +
				"oldest entries)",
			(*interpreter).doDamage,
		},
		{"repair", "repair [3] (who repairs itself, and what it waits for)", (*interpreter).doRepair},
		{
			"send",
			"send 3->1 AppendEntries term 1 prev 0/t0 entries 1 1 commit 1 (by hand)",
			(*interpreter).doSend,
		},
		{"log", "log [1]", (*interpreter).doLog},
		{"status", "status [1]", (*interpreter).doStatus},
	}
}

// run carries out the commands of one block and returns what they printed. A command after "quietly" prints
// nothing.
func (in *interpreter) run(t *testing.T, commands []string) string {
	in.lines = nil
	for _, line := range commands {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		in.mute = words[0] == "quietly"
		if in.mute {
			words = words[1:]
		}
		at := slices.IndexFunc(scriptCommands(), func(c scriptCommand) bool { return c.verb == words[0] })
		if at < 0 {
			t.Fatalf("unknown command %q", line)
		}
		in.runOne(t, line, scriptCommands()[at], words[1:])
	}
	return strings.Join(in.lines, "\n")
}

func (in *interpreter) runOne(t *testing.T, line string, c scriptCommand, args []string) {
	defer func() {
		if r := recover(); r != nil {
			printed := strings.Join(in.lines, "\n")
			t.Fatalf("%q (for example %q): %v\nbefore it:\n%s", line, c.example, r, printed)
		}
	}()
	c.do(in, t, args)
}

func (in *interpreter) print(format string, args ...any) {
	if !in.mute {
		in.lines = append(in.lines, fmt.Sprintf(format, args...))
	}
}

func (in *interpreter) doCluster(t *testing.T, args []string) {
	size, _ := strconv.Atoi(args[0])
	in.options = parseOptions(args[1:])
	addresses := map[raft.NodeID]string{}
	for id := 1; id <= size; id++ {
		addresses[raft.NodeID(id)] = "server " + strconv.Itoa(id)
	}
	in.members = raft.NewConfiguration(addresses)
	for i := range in.members.Members {
		in.members.Members[i].Incarnation = 1
	}
	for id := raft.NodeID(1); id <= raft.NodeID(size+in.options.joining); id++ {
		s := &scriptServer{id: id, disk: raft.Restored{Members: in.members, Incarnation: 1}}
		if int(id) > size {
			s.disk = raft.Restored{Joins: true, Incarnation: 1}
		}
		in.servers = append(in.servers, s)
		in.start(s)
	}
}

// scriptOptions are those of the cluster command.
type scriptOptions struct {
	config    raft.Config // of every server, but for the id
	impatient []raft.NodeID
	rounds    bool
	joining   int
}

func parseOptions(words []string) scriptOptions {
	o := scriptOptions{config: raft.Config{
		Heartbeat:     scriptHeartbeat,
		ElectionMin:   scriptElectionMin,
		ElectionMax:   scriptElectionMax,
		NoPreVote:     slices.Contains(words, "noprevote"),
		NoCheckQuorum: slices.Contains(words, "nocheckquorum"),
		Events:        true,
	}}
	o.rounds = slices.Contains(words, "rounds")
	l := &o.config.Limits
	l.Version = 9
	if slices.Contains(words, "single") {
		l.AppendBytes = 1
	}
	fields := map[string]*int{"window": &l.Window, "inflight": &l.InFlightBytes, "append": &l.AppendBytes,
		"backlog": &l.BacklogBytes, "uncommitted": &l.UncommittedBytes, "join": &o.joining}
	for i, word := range words {
		n, err := strconv.Atoi(word)
		switch {
		case err != nil:
		case words[i-1] == "noprevote":
			o.config.NoPreVote, o.impatient = false, append(o.impatient, raft.NodeID(n))
		default:
			*fields[words[i-1]] = n
		}
	}
	return o
}

func (in *interpreter) start(s *scriptServer) {
	config := in.options.config
	config.ID, config.Seed = s.id, uint64(s.id)
	config.NoPreVote = config.NoPreVote || slices.Contains(in.options.impatient, s.id)
	s.disk.Start++
	core, err := raft.New(config, s.disk)
	if err != nil {
		panic(err)
	}
	s.core, s.writes, s.behind = core, nil, 0
}

// step feeds one input to a server and shows and carries out what it decides.
func (in *interpreter) step(s *scriptServer, input raft.Input) {
	if s.core == nil {
		return
	}
	s.core.Step(0, input)
	s.core.Audit()
	for out := s.core.Output(); !idle(out); out = s.core.Output() {
		in.carryOut(s, out)
	}
}

func idle(o raft.Output) bool {
	return o.Write == 0 &&
		len(o.Committed)+len(o.Messages)+len(o.Answers)+len(o.Readings)+len(o.Events) == 0
}

func (in *interpreter) carryOut(s *scriptServer, out raft.Output) {
	for _, e := range out.Events {
		if _, dull := e.(raft.PersistedTo); !dull || s.manual {
			in.print("%v  %v", s.id, e)
		}
	}
	for _, a := range out.Answers {
		in.print("%v  answers: %s", s.id, formatAnswer(a))
	}
	for _, r := range out.Readings {
		in.print("%v  answers: %s", s.id, formatReading(r))
	}
	if out.Write != 0 {
		s.writes = append(s.writes, out)
		if s.manual {
			in.print("%v  writes (%d): %s", s.id, out.Write, formatWrite(out))
		}
	}
	for _, l := range out.Messages {
		in.post(s.id, l)
	}
	if n := len(out.Committed); n > 0 {
		s.behind = out.Committed[n-1].Index
		if !s.slow {
			in.print("%v  applies %s", s.id, formatEntries(out.Committed))
			in.applied(s)
		}
	}
	if !s.manual && out.Write != 0 {
		in.persist(s, 1)
	}
}

// applied tells a server that its state machine has caught up.
func (in *interpreter) applied(s *scriptServer) {
	index := s.behind
	s.behind = 0
	in.step(s, raft.Applied{Index: index})
}

func (in *interpreter) post(from raft.NodeID, l raft.Letter) {
	link := scriptLink{from, l.To}
	lost := ""
	if in.cut[link] {
		lost = "   ✗ lost"
	} else {
		life := in.server(from).disk.Incarnation
		in.network = append(in.network, scriptLetter{link, l.Sequence, l.Message, life})
	}
	in.print("%v → %v  %s%s", from, l.To, in.format(l.Message), lost)
}

// persist makes the oldest writes durable and tells the server of the last of them.
func (in *interpreter) persist(s *scriptServer, count int) {
	count = min(count, len(s.writes))
	if count == 0 {
		return
	}
	for _, w := range s.writes[:count] {
		keep(&s.disk, w)
	}
	last := s.writes[count-1].Write
	s.writes = s.writes[count:]
	in.step(s, raft.Persisted{Write: last})
}

// keep puts one write on a disk.
func keep(disk *raft.Restored, w raft.Output) {
	if w.HardState != nil {
		disk.HardState = *w.HardState
	}
	disk.Repairing = disk.Repairing && !w.Repaired
	if w.Restart != (raft.EntryID{}) {
		disk.Before, disk.Entries = w.Restart, nil
	}
	if len(w.Entries) > 0 {
		before := w.Entries[0].Index - 1 - disk.Before.Index
		disk.Entries = append(slices.Clip(disk.Entries[:before]), w.Entries...)
	}
}

func (in *interpreter) server(id raft.NodeID) *scriptServer {
	at, ok := slices.BinarySearchFunc(in.servers, id, func(s *scriptServer, id raft.NodeID) int {
		return cmp.Compare(s.id, id)
	})
	if !ok {
		panic(fmt.Sprintf("there is no server %v", id))
	}
	return in.servers[at]
}

func parseID(s string) raft.NodeID {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return raft.NodeID(n)
}

// parseLink reads "1->2". No argument at all means every link.
func parseLink(args []string) (matches func(scriptLink) bool) {
	if len(args) == 0 {
		return func(scriptLink) bool { return true }
	}
	from, to, ok := strings.Cut(args[0], "->")
	if !ok {
		id := parseID(args[0])
		return func(l scriptLink) bool { return l.from == id || l.to == id }
	}
	return func(l scriptLink) bool { return l == scriptLink{parseID(from), parseID(to)} }
}

// take removes from a list what travels on the links that match, and returns it.
func take(list *[]scriptLetter, matches func(scriptLink) bool) (taken []scriptLetter) {
	var left []scriptLetter
	for _, l := range *list {
		if matches(l.scriptLink) {
			taken = append(taken, l)
		} else {
			left = append(left, l)
		}
	}
	*list = left
	return taken
}
