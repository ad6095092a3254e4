package raft

import "slices"

// Automatic promotion of learners (thesis §4.2.1), where the configuration asks for it.
//
// A learner that is far behind would, as a voter, have to be waited for by every commit that needs it. So it
// must lag little in bytes, which is what it has yet to receive, and little in time, for on a slow link few
// bytes may take long; and that for a while, for a learner that has just caught up by a snapshot may fall
// behind with the next burst. Time is measured in rounds, as the thesis does: what the log holds at the
// beginning of a round must be on the learner's disk within a minimum election timeout, which is how long the
// others would be patient with a leader that can commit nothing.

// study is how a leader sees a learner come along. Ticks are counted by the leader.
type study struct {
	goal  Index // of this round: the end of the log when it began
	since int   // ticks since then
	close int   // for how many ticks in a row the learner has been close behind
}

// promoteLearners counts a tick, and begins a change that promotes whoever has been close behind for a
// maximal election timeout. If another change is open, or the voters do not answer, a later tick tries again.
func (c *Core) promoteLearners() {
	if !c.members.AutoPromote {
		return
	}
	var ready []NodeID
	for _, id := range c.members.Learners {
		p := c.peer(id)
		if p == nil || c.members.Voter(id) { // this server itself, or one that is being demoted
			continue
		}
		if c.watch(p); p.study.close > c.config.ElectionMax {
			ready = append(ready, id)
		}
	}
	if len(ready) == 0 {
		return
	}
	if entry, refusal := c.change(Change{Promote: ready}); refusal == Accepted {
		c.emit(LearnersPromoted{IDs: slices.Clip(ready), Entry: entry})
	}
}

func (c *Core) watch(p *peer) {
	s := &p.study
	s.since++
	if p.match >= s.goal {
		s.goal, s.since = c.log.last().Index, 0
	}
	s.close++
	if s.since >= c.config.ElectionMin || !c.answers(p.id) || !c.closeBehind(p.match) {
		s.close = 0
	}
}

// LagBytes returns how many bytes of this server's log lie behind an index, as Entry.Size counts them; -1
// when the log does not reach back to it, so that who has come no further lacks a snapshot. It walks over
// what is counted: call it when somebody asks, not for every step.
func (c *Core) LagBytes(match Index) int64 {
	if match < c.log.base.Index {
		return -1
	}
	return int64(c.log.size(match, c.log.last().Index))
}

// closeBehind reports whether the entries behind an index are no more than Limits.PromoteBytes.
func (c *Core) closeBehind(match Index) bool {
	if match < c.log.base.Index {
		return false
	}
	bytes := 0
	for i := c.log.last().Index; i > match; i-- {
		if bytes += c.log.at(i).Size(); bytes > c.config.Limits.PromoteBytes {
			return false
		}
	}
	return true
}
