package sim

import "balsa/raft"

// Moments: a process that ends at a random time ends while it has nothing to do, mostly. So a swarm can lie
// in wait for a moment in which something is at stake, and then, or a little later, end the process or cut
// it off from all others.

// moment is what a swarm may wait for.
type moment int

const (
	writes    moment = iota // a write begins
	votes                   // a vote was given, which is not durable yet
	elected                 // it has just become leader
	appends                 // its log has grown by what is not committed
	commits                 // it knows of something committed that the others may not know
	truncates               // the end of its log was replaced
	captures                // its machine is captured
	saves                   // a snapshot begins to be written
	chunks                  // a part of one begins to be stored
	restores                // its machine begins to be replaced
	releases                // its log is to begin behind another entry
	moments
)

// effect is what is counted when one of them was met.
func (m moment) effect() string {
	return "struck " + [...]string{"with a write under way", "just after a vote",
		"just after its election", "with entries that are not committed", "just after a commit",
		"just after a truncation", "while its machine was captured", "with a snapshot being saved",
		"with a part of a snapshot being stored", "with its machine being restored",
		"with its log being shortened"}[m]
}

// trap waits for a moment of somebody.
type trap struct {
	moment moment
	node   raft.NodeID // raft.None: of anybody
	after  Time
	mode   string // of the kill; "cut": no kill, it is cut off
}

// strikeAtMoment sets a trap.
func strikeAtMoment(s *swarm) {
	t := trap{moment: moment(s.roll().below(uint64(moments + 2))),
		mode: [...]string{"", "power", "cut"}[s.roll().below(3)]}
	if t.moment >= moments { // it is the rarest of them, and would hardly ever be met
		t.moment = truncates
	}
	if s.roll().below(2) == 0 && t.moment != truncates {
		t.node = s.one().id
	}
	if s.roll().below(2) == 0 {
		t.after = s.roll().exponential(Millisecond)
	}
	s.traps = append(s.traps, t)
}

// notice holds the traps against what becomes of a server, before the sight of it is renewed.
func (s *swarm) notice(o *server, now *raft.Status) {
	if s == nil || len(s.traps) == 0 {
		return
	}
	was := &o.sight
	if now.Vote != raft.None && (now.Vote != was.vote || now.Term != was.term) {
		s.noticeMoment(o, votes)
	}
	if now.Role == raft.Leader && was.role != raft.Leader {
		s.noticeMoment(o, elected)
	}
	if now.Last.Index > was.last.Index && now.Last.Index > now.Commit {
		s.noticeMoment(o, appends)
	}
	if now.Commit > was.commit {
		s.noticeMoment(o, commits)
	}
	if cutBack(was, now) {
		s.noticeMoment(o, truncates)
	}
}

// noticeMoment springs the first trap that waits for a moment.
func (s *swarm) noticeMoment(o *server, m moment) {
	if s == nil {
		return
	}
	for i, t := range s.traps {
		if t.moment == m && (t.node == raft.None || t.node == o.id) {
			s.traps = append(s.traps[:i:i], s.traps[i+1:]...)
			s.world.saw(m.effect())
			if t.mode == "cut" {
				s.cutIn(t.after, o)
				return
			}
			s.plan(t.after, Op{Kind: Kill, Node: o.id, Mode: t.mode})
			s.plan(t.after+s.soon()+1, Op{Kind: Restart, Node: o.id})
			return
		}
	}
}

// cutIn cuts somebody off in a moment, and for a while.
func (s *swarm) cutIn(in Time, o *server) {
	if links := append(s.between(only(o), allBut(o)), s.between(allBut(o), only(o))...); len(links) > 0 {
		s.plan(in, Op{Kind: Cut, Mode: "isolate", Links: links})
		s.plan(in+s.soon()+1, Op{Kind: Heal, Links: links})
	}
}
