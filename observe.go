package balsa

import (
	"context"
	"log/slog"

	"balsa/raft"
	"balsa/replica"
)

// tell turns a decision into a log line, in the words that the origin of this project uses. Nothing rests
// on the text.
//
// Changes of role are Info, everything that happens for each write is Debug, and what needs a person is Warn.
func (l *loop) tell(event raft.Event) {
	switch e := event.(type) {
	case raft.BecamePreCandidate:
		l.logger.Info("Became PRE-CANDIDATE: heard no leader, asking whether an election could be won",
			"term", e.Term)
	case raft.BecameCandidate:
		l.logger.Info("Became CANDIDATE", "term", e.Term)
	case raft.BecameLeader:
		l.logger.Info("Became LEADER", "term", e.Term)
	case raft.BecameFollower:
		l.tellFollower(e)
	case replica.PeerRefused:
		l.logger.Warn(e.String(), "peer", e.Node)
	case raft.MessageRefused:
		l.logger.Warn("Refused a message that no correct node sends", "from", e.From, "why", e.Why)
	default:
		l.tellDetail(event)
	}
}

func (l *loop) tellFollower(e raft.BecameFollower) {
	words := "Follows"
	if e.Was != raft.Follower {
		words = "Stepped down to FOLLOWER"
	}
	if e.Leader == raft.None {
		l.logger.Info(words, "term", e.Term, "why", e.Why)
		return
	}
	l.logger.Info(words, "leader", e.Leader, "term", e.Term, "why", e.Why)
}

// tellDetail tells what happens for each write. Nobody pays for it who does not listen.
func (l *loop) tellDetail(event raft.Event) {
	if !l.logger.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	switch e := event.(type) {
	case raft.Appended:
		l.logger.Debug("Appended entry", "entry", e.Entry, "kind", e.Kind)
	case raft.AppendAccepted:
		if e.New > 0 {
			l.logger.Debug("Appended entry", "from", e.From, "after", e.Prev, "entries", e.New,
				"replaced_from", e.Truncated)
		}
	case raft.Replicated:
		l.logger.Debug("Replicated entry", "to", e.To, "through", e.Match)
	case raft.CommitAdvanced:
		l.logger.Debug("Committed entry", "through", e.Entry)
	case raft.PersistedTo, raft.MessageIgnored:
	default:
		l.logger.Debug(event.String())
	}
}
