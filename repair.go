package balsa

import (
	"errors"
	"fmt"
	"slices"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wal"
)

// Repair of a damaged data directory, up to where the node takes part again; what then makes it count
// again is in package raft (repair.go).

// isDamage reports whether an error of opening says that something has changed at rest. A disk that does not
// answer may yet, and what a later version wrote is not for this one to judge.
func isDamage(err error) bool {
	return errors.Is(err, wal.ErrCorrupt) || errors.Is(err, snapshot.ErrCorrupt) ||
		errors.Is(err, replica.ErrGap)
}

// ErrAlone says that nobody can bring back what a node has lost, as far as its directory knows: it is the
// only voter.
var ErrAlone = errors.New("no other node is known that could repair this one")

// Repairable reports whether a node can repair itself with the help of the others (Config.Repair), should its
// log or its snapshots be damaged: nil, or why not. Nothing is written. Errors: ErrAlone; wal.ErrCorrupt,
// when both copies of the identity are damaged; or what the disk said, which may pass.
func Repairable(dir disk.Dir) error {
	_, err := repairable(dir)
	return err
}

// repairable returns, beside that, the last entry of the newest good snapshot.
func repairable(dir disk.Dir) (last raft.EntryID, err error) {
	found, err := wal.Inspect(dir)
	if err != nil && found.Identity.Cluster == (raft.ClusterID{}) {
		return last, err
	}
	members := found.Identity.Bootstrap
	snapshots, err := snapshot.Inspect(dir)
	if err = unreadable(snapshots.Broken, err); err != nil {
		return last, err
	}
	for _, s := range snapshots.Snapshots {
		if s.Cluster == found.Identity.Cluster {
			if c, _, err := raft.DecodeConfiguration(s.Configuration); err == nil {
				members = c
			}
			last = s.Last
			break
		}
	}
	if slices.Equal(members.Voters, []raft.NodeID{found.Identity.Node}) && len(members.Outgoing) == 0 {
		return last, ErrAlone
	}
	return last, nil
}

// setDamagedAside makes the directory usable again: the log is set aside, and one that begins behind the
// newest good snapshot, and says that the node repairs itself, takes its place. A node that nobody can
// bring back what it lost is refused: it would stand still with less than it has.
func setDamagedAside(dir disk.Dir, config Config, damage error) error {
	last, err := repairable(dir)
	switch {
	case errors.Is(err, ErrAlone):
		return fmt.Errorf("%w (%w)", damage, err)
	case errors.Is(err, wal.ErrCorrupt):
		return damage
	case err != nil:
		return errors.Join(err, damage)
	}
	aside, err := wal.Repair(dir, wal.Options{Identity: wal.Identity{Node: config.ID},
		SegmentBytes: config.SegmentBytes}, last)
	if err != nil {
		return errors.Join(err, damage)
	}
	config.Logger.Error("The data directory is damaged, and this node repairs itself: it counts for nothing "+
		"until the others have brought back what it lost; nothing was deleted",
		"damage", place(damage), "set_aside", aside, "begins_behind", last)
	return nil
}

// unreadable returns why not all snapshots could be judged. One that a disk does not show now may be good,
// and be there again at the next start, where the log would know nothing of it.
func unreadable(broken []snapshot.Broken, err error) error {
	for _, b := range broken {
		if !errors.Is(b.Err, snapshot.ErrCorrupt) {
			return b.Err
		}
	}
	if errors.Is(err, snapshot.ErrCorrupt) {
		return nil // of all that are there, or they contradict each other: those that are good are told
	}
	return err
}

// place says where damage is, without what to do when a node cannot start.
func place(damage error) string {
	if d := (*wal.Damage)(nil); errors.As(damage, &d) {
		return fmt.Sprintf("%s at byte %d: %s", d.File, d.Offset, d.What)
	}
	if d := (*snapshot.Damage)(nil); errors.As(damage, &d) {
		return fmt.Sprintf("%s at byte %d: %s", d.File, d.Offset, d.What)
	}
	return damage.Error()
}

// tellRepair tells of damage and its repair, and reports whether an event is about that.
func (l *loop) tellRepair(event raft.Event) bool {
	switch e := event.(type) {
	case raft.PeerRepairs:
		l.logger.Warn("A node repairs itself after damage, and counts for nothing", "node", e.ID)
	case raft.FloorLearned:
		l.logger.Info("Repairs itself: may count again under a leader of a later term", "than", e.Floor)
	case raft.RepairComplete:
		l.logger.Info("Repaired itself", "through", e.Through, "term", e.Term)
	case raft.Returned:
		l.logger.Warn("Is repaired and counts again", "term", e.Term)
	case raft.RepairHalts:
		l.tellHalt(e)
	default:
		return false
	}
	return true
}

func (l *loop) tellHalt(e raft.RepairHalts) {
	if e.Over {
		l.logger.Warn("A quorum does not repair itself any more: the cluster can go on")
		return
	}
	then := l.status()
	then.Repair = raft.Repair{Servers: e.Servers, Halts: true}
	l.logger.Error("The cluster stands still: "+then.Halted(), "repairing", e.Servers)
}

// Halted says that those that repair themselves leave no quorum, and what to do: one line. It is empty when
// they leave one, as far as the node knows.
func (s Status) Halted() string {
	if !s.Repair.Halts {
		return ""
	}
	voters, damaged, sound := 0, 0, 0
	for _, p := range append(slices.Clone(s.Peers), Peer{ID: s.ID, Standing: s.Standing}) {
		repairs := slices.Contains(s.Repair.Servers, p.ID)
		if !repairs {
			sound++
		}
		if p.Standing == Learner || p.Standing == Outsider {
			continue
		}
		voters++
		if repairs {
			damaged++
		}
	}
	report, advice := "%d of %d voters repair themselves", ""
	if damaged == 1 {
		report = "%d of %d voters repairs itself"
	}
	if sound > 0 {
		advice = ", or run balsa recover on a member that does not repair itself"
	}
	return fmt.Sprintf(report+" after damage of the disk: no quorum is left, and nothing is guessed, for "+
		"what was lost may have been acknowledged; restore a backup%s", damaged, voters, advice)
}

// asideToo sets damaged snapshots aside in a directory that is marked as repairing. One that cannot be read
// may yet be.
func asideToo(dir disk.Dir, config Config, broken []snapshot.Broken) error {
	for _, b := range broken {
		if !errors.Is(b.Err, snapshot.ErrCorrupt) {
			continue
		}
		to, err := wal.SetAside(dir, b.Name)
		if err != nil {
			return err
		}
		config.Logger.Warn("Set a damaged snapshot aside", "damage", place(b.Err), "as", to)
	}
	return nil
}
