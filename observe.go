package balsa

import (
	"context"
	"fmt"
	"log/slog"
	"time"

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
		l.tellCampaign(e)
	case raft.BecameCandidate:
		l.logger.Info("Became CANDIDATE", "term", e.Term)
	case raft.BecameLeader:
		l.repeated.campaign = repetition{}
		l.logger.Info("Became LEADER", "term", e.Term)
	case raft.BecameFollower:
		l.tellFollower(e)
	case raft.MembersChanged:
		l.tellDetail(e)
		l.tellStanding(e)
	case replica.PeerRefused:
		l.tellStranger(e)
	case replica.FoundingHalted:
		l.logger.Error(e.String(), "peer", e.By)
	case replica.Undigested:
		l.logger.Warn(e.String(), "peer", e.From)
	case raft.MessageRefused:
		l.tellRefusal(e)
	case raft.SnapshotTaken:
		l.logger.Info("Took a snapshot", "through", e.Last, "bytes", e.Size)
	case raft.SnapshotInstalled:
		l.logger.Info("Installed a snapshot from the leader", "through", e.Last, "kept_log", e.Kept)
	case raft.SnapshotSending:
		l.tellAgain(&l.repeated.sending, slog.LevelInfo,
			"Sends a snapshot to a node that lacks what the log no longer holds", "to", e.To,
			"through", e.Last, "from_byte", e.Offset)
	case replica.NotEnded:
		l.logger.Warn(e.String())
	case replica.SnapshotFailed:
		l.tellAgain(&l.repeated.failing, slog.LevelWarn,
			"Could not deal with a snapshot, and will try again: is the disk full?", "error", e.Err)
	default:
		if !l.tellRepair(event) {
			l.tellDetail(event)
		}
	}
}

// repeated holds back what would be told for ever: what a lone node, or a hostile one, has to say again and
// again drowns everything else.
type repeated struct{ campaign, refusal, sending, failing repetition }

// repetition is one thing that repeats.
type repetition struct {
	told raft.Time // when it was told last; 0: never
	held uint64    // how often it was not told since
}

// tellEvery is how often something that repeats is told. The first time is told at once.
const tellEvery = raft.Time(10 * time.Second)

// due reports whether it is to be told now, and how often it was held back since the last time.
func (r *repetition) due(now raft.Time) (due bool, held uint64) {
	if r.told != 0 && now-r.told < tellEvery {
		r.held++
		return false, 0
	}
	held, r.told, r.held = r.held, now, 0
	return true, held
}

// tellCampaign tells that a node looks for votes, which one that is alone does several times a second. To
// hear of a leader ends it.
func (l *loop) tellCampaign(e raft.BecamePreCandidate) {
	const words = "Became PRE-CANDIDATE: heard no leader, could it be elected?"
	switch due, held := l.repeated.campaign.due(l.clock.now()); {
	case !due:
		l.logger.Debug(words, "term", e.Term)
	case held > 0:
		l.logger.Info(words, "term", e.Term, "times_before", held)
	default:
		l.logger.Info(words, "term", e.Term)
	}
}

// tellStanding tells that this node was removed: nothing else shows it, as the others are silent from then
// on.
func (l *loop) tellStanding(e raft.MembersChanged) {
	was := l.standing
	l.standing = standing(e.Members, l.identity.Node)
	if was != Outsider && l.standing == Outsider && len(e.Members.Members) > 0 {
		l.logger.Warn("Is no member of the cluster any more: it was removed, and can be stopped. Its data "+
			"directory does not come back; an empty one can, with balsa serve --join",
			"configuration", e.Index)
	}
}

// tellStranger tells who does not listen to whom. That others mean another data directory by this node's id
// ends by nothing that the node does: an empty one was started in the place of the one that they know.
func (l *loop) tellStranger(e replica.PeerRefused) {
	if e.ByPeer && e.Why == raft.OtherIncarnation {
		l.logger.Error(e.String(), "peer", e.Node,
			"run", fmt.Sprintf("balsa member replace %v", l.identity.Node))
		return
	}
	l.logger.Warn(e.String(), "peer", e.Node)
}

func (l *loop) tellRefusal(e raft.MessageRefused) {
	l.tellAgain(&l.repeated.refusal, slog.LevelWarn, "Refused a message that no correct node sends",
		"from", e.From, "why", e.Why)
}

// tellAgain tells what repeats, in detail only when it has been told a moment ago.
func (l *loop) tellAgain(r *repetition, level slog.Level, words string, values ...any) {
	due, held := r.due(l.clock.now())
	switch {
	case !due:
		level = slog.LevelDebug
	case held > 0:
		values = append(values, "others_since", held)
	}
	l.logger.Log(context.Background(), level, words, values...)
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
	l.repeated.campaign = repetition{}
	l.logger.Info(words, "leader", e.Leader, "term", e.Term, "why", e.Why)
}

// tellDetail tells what happens for each write. Nobody pays for it who does not listen.
func (l *loop) tellDetail(event raft.Event) {
	if !l.logger.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	switch e := event.(type) {
	case raft.Appended:
		l.logger.Debug("Appended entry", "entry", e.Entry, "kind", e.Kind, "entries", e.New)
	case raft.AppendAccepted:
		if e.New > 0 {
			told := []any{"from", e.From, "after", e.Prev, "entries", e.New}
			if e.Truncated > 0 {
				told = append(told, "replaced_from", e.Truncated)
			}
			l.logger.Debug("Appended entry", told...)
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
