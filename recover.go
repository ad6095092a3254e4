package balsa

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wal"
)

// Recovery of one server whose majority is lost for good. Nobody can know what it lacks: the servers that are
// gone may have acknowledged entries that never came here. Nor can it know which of its last entries were
// committed. So all of them are kept, and become committed when the one voter leads: an entry that was never
// acknowledged may come back by that, as it may after any crash, and one that was is not given up by a guess.
//
// The new directory is written beside the old files, in the same place, and changes places with them:
//
//	recover-1.unfinished   the new files are written as recovered-NAME; the old ones are only read
//	recover-2.unfinished   the old files get the name before-CLUSTER-NAME
//	recover-3.unfinished   the new files get their names
//
// The file that says so is renamed, and the directory synced, between one and the next: so whoever comes
// after a crash knows which files are which, and goes on from there. Open refuses the directory meanwhile.

// The names of the marks and of the new files meanwhile.
const (
	writingNew    = "recover-1" + unfinishedSuffix
	movingOld     = "recover-2" + unfinishedSuffix
	movingNew     = "recover-3" + unfinishedSuffix
	recoveredName = "recovered-"
	beforeName    = "before-"
)

// Remains is what the directory of one server holds.
type Remains struct {
	Node     raft.NodeID
	Cluster  raft.ClusterID
	Term     raft.Term
	Snapshot raft.EntryID // the last entry that the newest sound snapshot includes; zero: there is none
	Last     raft.EntryID // the last entry; up to where entries were committed, nobody knows
	Members  raft.Configuration
	Torn     int64 // bytes of a last write that never became durable, and is not part of it

	state    raft.HardState
	snapshot raft.Snapshot
	entries  []raft.Entry // behind it
}

// Examine reads what a directory holds, and writes nothing. Damage is an error: what a damaged directory has
// lost is not known, and to found a cluster on the rest would hide that. So it is when the node repairs
// itself (Config.Repair): wal.ErrCorrupt. With ErrUnfinished a Recover was cut short, which goes on without
// being examined anew.
func Examine(dir disk.Dir, codec snapshot.Codec) (Remains, error) {
	if err := finished(dir); err != nil {
		return Remains{}, err
	}
	return examine(dir, codec)
}

func examine(dir disk.Dir, codec snapshot.Codec) (Remains, error) {
	log, err := wal.Inspect(dir)
	if err != nil {
		return Remains{}, err
	}
	if log.Repairing { // it looks sound again, and may hold no more than a snapshot of long ago
		return Remains{}, fmt.Errorf("the node repairs itself, for its log was damaged and set aside: "+
			"recover a node that does not, or restore a backup: %w", wal.ErrCorrupt)
	}
	kept, err := snapshot.Inspect(dir)
	if err != nil && (log.Before != raft.EntryID{} || !errors.Is(err, snapshot.ErrCorrupt)) {
		return Remains{}, err
	}
	var snapshots []raft.Snapshot
	for _, info := range kept.Snapshots {
		if info.Cluster != log.Identity.Cluster {
			return Remains{}, fmt.Errorf("the snapshot of %v: %w", info.Last, snapshot.ErrForeign)
		}
		s, err := described(dir, info, codec)
		if err != nil {
			return Remains{}, err
		}
		snapshots = append(snapshots, s)
	}
	restored, err := replica.Recover(log.Identity.Bootstrap, log.State, log.Before, log.Entries, snapshots)
	for _, b := range kept.Broken {
		if err == nil && !replica.Includes(restored, b.Last) {
			err = fmt.Errorf("what it includes is nowhere else: %w", b.Err)
		}
	}
	if err != nil {
		return Remains{}, damaged(err, kept.Broken)
	}
	r := Remains{Node: log.Identity.Node, Cluster: log.Identity.Cluster, Term: log.State.Term,
		Snapshot: restored.Snapshot.Last, Members: log.Identity.Bootstrap, Torn: log.Torn,
		state: log.State, snapshot: restored.Snapshot, entries: behind(restored)}
	return r, r.read()
}

// described reads which snapshot it is, and that this program can restore it.
func described(dir disk.Dir, info snapshot.Info, codec snapshot.Codec) (raft.Snapshot, error) {
	r, err := viewSnapshot(dir, snapshot.FileName(info.Last), codec)
	if err != nil {
		return raft.Snapshot{}, err
	}
	s, err := r.Snapshot()
	return s, errors.Join(err, r.Close())
}

func viewSnapshot(dir disk.Dir, name string, codec snapshot.Codec) (*snapshot.Reader, error) {
	var codecs []snapshot.Codec
	if codec != nil {
		codecs = append(codecs, codec)
	}
	r, err := snapshot.View(dir, name, codecs...)
	if err != nil && r != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, err
}

// behind returns the entries that follow the snapshot: none, if the log holds another entry where that ends.
func behind(r raft.Restored) []raft.Entry {
	if r.Before == r.Snapshot.Last {
		return r.Entries
	}
	at := slices.IndexFunc(r.Entries, func(e raft.Entry) bool { return e.ID() == r.Snapshot.Last })
	if at < 0 {
		return nil
	}
	return r.Entries[at+1:]
}

// read finds where the state ends and the configuration there.
func (r *Remains) read() error {
	r.Last = r.snapshot.Last
	if r.Last.Index > 0 {
		r.Members = r.snapshot.Members
	}
	for _, e := range r.entries {
		r.Last = e.ID()
		if e.Kind != raft.ConfigurationChange {
			continue
		}
		members, _, err := raft.DecodeConfiguration(e.Command)
		if err != nil {
			return fmt.Errorf("the configuration in entry %v: %w", e.ID(), err)
		}
		r.Members = members
	}
	if r.Last.Index == 0 {
		return errors.New("the directory holds no entry: there is nothing to recover; " +
			"start the node with an empty directory")
	}
	return nil
}

// Recover makes the directory of a server, of whatever cluster, that of the one voter of a new cluster. It is
// for the case that the majority of the voters is lost for good, and only then: entries that the lost servers
// acknowledged, and that this one lacks, are gone; and while one of the old cluster still runs, two clusters
// serve clients. Everything that the directory has is kept, as the state of the new cluster: the newest
// snapshot, and all entries behind it, committed or not. Entries that changed the members are replaced by
// ones that do nothing. Addresses that the founder leaves out are those that the old cluster knew. The old
// files stay beside the new ones, as before-CLUSTER-NAME.
//
// When it returns nil all of it is durable. After an error, or a crash, the directory is as it was or refused
// by Open; then Recover goes on where it was cut short.
func Recover(dir disk.Dir, founder Founder) (Founded, error) {
	names, err := dir.List()
	if err != nil {
		return Founded{}, err
	}
	if !slices.Contains(names, movingOld) && !slices.Contains(names, movingNew) {
		if err := rewrite(dir, founder, names); err != nil {
			return Founded{}, err
		}
		if err := nextMark(dir, writingNew, movingOld); err != nil {
			return Founded{}, err
		}
	}
	if !slices.Contains(names, movingNew) {
		if err := setAside(dir); err != nil {
			return Founded{}, err
		}
		if err := nextMark(dir, movingOld, movingNew); err != nil {
			return Founded{}, err
		}
	}
	if err := moveIn(dir); err != nil {
		return Founded{}, err
	}
	made, err := examine(dir, founder.Codec)
	if err != nil {
		return Founded{}, err
	}
	own, _ := made.Members.Member(made.Node)
	return Founded{Cluster: made.Cluster, Incarnation: own.Incarnation, Last: made.Last},
		removeMark(dir, movingNew)
}

// rewrite writes the new files beside the old ones.
func rewrite(dir disk.Dir, founder Founder, names []string) error {
	for _, name := range names { // of an attempt that was cut short
		if strings.HasPrefix(name, recoveredName) {
			if err := dir.Remove(name); err != nil {
				return err
			}
		}
	}
	if slices.Contains(names, restoring) {
		return fmt.Errorf("%s: %w", restoring, ErrUnfinished)
	}
	old, err := examine(dir, founder.Codec)
	if err != nil {
		return err
	}
	if old.Node != founder.ID {
		return fmt.Errorf("%w: it is of node %v, not of node %v", wal.ErrForeign, old.Node, founder.ID)
	}
	aside := fmt.Sprintf("%s%.8s-", beforeName, old.Cluster)
	own, _ := old.Members.Member(founder.ID)
	founder.Address, founder.API = cmp.Or(founder.Address, own.Address), cmp.Or(founder.API, own.API)
	if err := founder.check(); err != nil {
		return err
	}
	if err := writeMark(dir, writingNew, aside); err != nil {
		return err
	}
	f := founder.founding(old.Cluster, old.Members)
	f.state, f.entries = raft.HardState{Term: old.Term}, withoutChanges(old.entries)
	if old.Snapshot.Index == 0 {
		return f.found(prefixed{dir, recoveredName})
	}
	r, err := viewSnapshot(dir, snapshot.FileName(old.Snapshot), founder.Codec)
	if err != nil {
		return err
	}
	f.snapshot, f.image = old.snapshot, section{r}
	return errors.Join(f.found(prefixed{dir, recoveredName}), r.Close())
}

// withoutChanges replaces the entries that changed the members by ones that do nothing: a server that joins
// is sent them, and must not take itself for a voter of the cluster that is gone. To a state machine both are
// the same: only their time counts.
func withoutChanges(entries []raft.Entry) []raft.Entry {
	entries = slices.Clone(entries)
	for i := range entries {
		if entries[i].Kind == raft.ConfigurationChange {
			entries[i].Kind, entries[i].Command = raft.NoOp, nil
		}
	}
	return entries
}

// nextMark says durably that the next step has begun: all of the one before is durable first.
func nextMark(dir disk.Dir, from, to string) error {
	if err := dir.Sync(); err != nil {
		return err
	}
	if err := dir.Rename(from, to); err != nil {
		return err
	}
	return dir.Sync()
}

// readMark returns what a mark says: how the old files are to be called.
func readMark(dir disk.Dir, name string) (content string, err error) {
	f, err := dir.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return "", err
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(b), nil
}

// setAside gives the old files other names, under which nothing reads them.
func setAside(dir disk.Dir) error {
	names, err := dir.List()
	if err != nil {
		return err
	}
	prefix, err := readMark(dir, movingOld)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, unfinishedSuffix) || strings.HasPrefix(name, recoveredName) ||
			strings.HasPrefix(name, beforeName) {
			continue
		}
		if err := dir.Rename(name, prefix+name); err != nil {
			return err
		}
	}
	return nil
}

// moveIn gives the new files their names.
func moveIn(dir disk.Dir) error {
	names, err := dir.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if own, new := strings.CutPrefix(name, recoveredName); new {
			if err := dir.Rename(name, own); err != nil {
				return err
			}
		}
	}
	return nil
}

// prefixed is the files of a directory whose names begin in one way, without that beginning.
type prefixed struct {
	disk.Dir
	prefix string
}

func (p prefixed) Create(name string, size int64) (disk.File, error) {
	return p.Dir.Create(p.prefix+name, size)
}
func (p prefixed) Open(name string) (disk.File, error) { return p.Dir.Open(p.prefix + name) }
func (p prefixed) Rename(from, to string) error        { return p.Dir.Rename(p.prefix+from, p.prefix+to) }
func (p prefixed) Remove(name string) error            { return p.Dir.Remove(p.prefix + name) }
func (p prefixed) Close() error                        { return nil }

func (p prefixed) List() (own []string, err error) {
	names, err := p.Dir.List()
	for _, name := range names {
		if rest, is := strings.CutPrefix(name, p.prefix); is {
			own = append(own, rest)
		}
	}
	return own, err
}
