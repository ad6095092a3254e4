package balsa

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
	"balsa/wal"
	"balsa/wire"
)

// Data directories that are not founded by a first start, but from what is left of another cluster: Restore
// makes one of a backup, Recover of the directory of a server whose majority is gone. Either founds a cluster
// of one voter, under an id of its own into which random bits are mixed: nodes of the old cluster are refused
// by it, and refuse it. The other nodes join it with empty directories.
//
// A file whose name ends in .unfinished is there from before the first step until all of it is durable, and
// Open refuses a directory with such a file: what a crash leaves never starts as if it were whole.

// ErrUnfinished says that the making of a data directory was cut short. Nothing in it was started.
var ErrUnfinished = errors.New("the data directory was being made from another cluster's data when that " +
	"was cut short: give the same command once more")

// ErrNotEmpty says that a directory holds something already. Nothing was changed.
var ErrNotEmpty = errors.New("the directory is not empty")

// unfinishedSuffix is what the name of the file ends in that says so.
const unfinishedSuffix = ".unfinished"

// restoring is the mark of a restore.
const restoring = "restore" + unfinishedSuffix

// Founder is the one voter of the cluster that Restore or Recover founds.
type Founder struct {
	ID      NodeID // positive
	Address string // where peers will reach it; required
	API     string // where clients will reach it, as Config.API; empty: not known
	// Codec is with what the old data was compressed, and the new one will be; nil: not at all.
	Codec snapshot.Codec
}

// check names everything that is wrong at once.
func (f Founder) check() error {
	c := Config{ID: f.ID, Peers: map[raft.NodeID]string{f.ID: f.Address}}
	wrong := c.validatePeers()
	if f.API != "" {
		if err := checkAPI(f.API); err != nil {
			wrong = append(wrong, fmt.Errorf("balsa: %q %v", f.API, err))
		}
	}
	return errors.Join(wrong...)
}

// Founded is what was founded.
type Founded struct {
	Cluster     raft.ClusterID // the new one
	Incarnation raft.Incarnation
	Last        raft.EntryID // the last entry; everything up to it is in the directory
}

// Restore makes an empty directory that of the first node of a new cluster, whose state is that of a backup:
// the same map, the same sessions, the same log time. The backup stays as it is, and may be of any cluster.
// When it returns nil all of it is durable. After an error, or a crash, the directory is refused by Open, and
// Restore begins in it anew. Errors: ErrNotEmpty, those of the backup's Reader, or what the disk said.
func Restore(dir disk.Dir, founder Founder, backup *snapshot.Reader) (Founded, error) {
	if err := founder.check(); err != nil {
		return Founded{}, err
	}
	of, err := backup.Snapshot()
	if err != nil {
		return Founded{}, err
	}
	names, err := dir.List()
	if err != nil {
		return Founded{}, err
	}
	if len(names) > 0 && !slices.Contains(names, restoring) {
		return Founded{}, fmt.Errorf("%w: %s is there", ErrNotEmpty, names[0])
	}
	if err := writeMark(dir, restoring, "balsa restore\n"); err != nil {
		return Founded{}, err
	}
	for _, name := range names { // only a restore that was cut short can have made them
		if name != restoring {
			if err := dir.Remove(name); err != nil {
				return Founded{}, err
			}
		}
	}
	f := founder.founding(backup.Info().Cluster, of.Members)
	f.state, f.snapshot, f.image = raft.HardState{Term: of.Last.Term}, of, section{backup}
	if err := f.found(dir); err != nil {
		return Founded{}, err
	}
	return f.founded(), removeMark(dir, restoring)
}

// founding is a directory that is being made.
type founding struct {
	identity wal.Identity
	codecs   []snapshot.Codec
	state    raft.HardState
	snapshot raft.Snapshot // zero: none
	image    io.WriterTo   // of it
	entries  []raft.Entry  // behind it
}

// founding begins a cluster with one voter. It keeps from the configuration of the old cluster what entries
// may rest on, which is all but its members.
func (f Founder) founding(old raft.ClusterID, after raft.Configuration) founding {
	incarnation := raft.Incarnation(random())
	members := raft.NewConfiguration(map[raft.NodeID]string{f.ID: f.Address})
	members.Members[0].Incarnation, members.Members[0].API = incarnation, f.API
	members.AutoPromote, members.Version = after.AutoPromote, after.Version
	members.LeaseDrift, members.LeaseTime = after.LeaseDrift, after.LeaseTime
	var mixed [16]byte
	_, _ = rand.Read(mixed[:]) // never fails
	made := founding{identity: wal.Identity{Cluster: wire.SucceedingClusterID(old, mixed, members),
		Node: f.ID, Incarnation: incarnation, Bootstrap: members}}
	if f.Codec != nil {
		made.codecs = []snapshot.Codec{f.Codec}
	}
	return made
}

func (f founding) founded() Founded {
	last := f.snapshot.Last
	if n := len(f.entries); n > 0 {
		last = f.entries[n-1].ID()
	}
	return Founded{Cluster: f.identity.Cluster, Incarnation: f.identity.Incarnation, Last: last}
}

// found writes everything, in a directory without files of a node, and syncs it: the snapshot first, which
// the log then begins behind. The bootstrap configuration is also that of the snapshot.
func (f founding) found(dir disk.Dir) error {
	if f.snapshot.Last.Index > 0 {
		if err := f.saveSnapshot(dir); err != nil {
			return err
		}
	}
	log, _, err := wal.Open(dir, wal.Options{Identity: f.identity})
	if err != nil {
		return err
	}
	err = f.fill(log)
	if err == nil {
		err = log.Seal()
	}
	return errors.Join(err, log.Close())
}

func (f founding) saveSnapshot(dir disk.Dir) error {
	store, _, err := snapshot.Open(dir, snapshot.Options{Cluster: f.identity.Cluster, Codecs: f.codecs})
	if err != nil {
		return err
	}
	keeper := snapshot.NewKeeper(store)
	s := f.snapshot
	s.Members, s.MembersIndex = f.identity.Bootstrap, 0
	_, err = keeper.Save(s, f.image)
	return errors.Join(err, keeper.Close())
}

// fill writes the log.
func (f founding) fill(log *wal.Log) error {
	if last := f.snapshot.Last; last.Index > 0 {
		if err := log.Restart(last); err != nil {
			return err
		}
	}
	if err := log.Append(&f.state, nil); err != nil {
		return err
	}
	for left := f.entries; len(left) > 0; {
		n, size := 1, left[0].Size()
		for n < len(left) && size+left[n].Size() <= appendBytes {
			size, n = size+left[n].Size(), n+1
		}
		if err := log.Append(nil, left[:n]); err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}

// section writes the one section of a snapshot that is read.
type section struct{ from *snapshot.Reader }

func (s section) WriteTo(to io.Writer) (n int64, err error) {
	in, err := s.from.Section(0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return io.Copy(to, in)
}

// finished refuses a directory whose making was cut short.
func finished(dir disk.Dir) error {
	names, err := dir.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, unfinishedSuffix) {
			return fmt.Errorf("%s: %w", name, ErrUnfinished)
		}
	}
	return nil
}

// writeMark makes a mark durable. One that is there may be without its content, or its name not be durable.
func writeMark(dir disk.Dir, name, content string) error {
	f, err := dir.Create(name, 0)
	if errors.Is(err, fs.ErrExist) {
		f, err = dir.Open(name)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(content), 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), dir.Sync())
}

// removeMark says that everything is durable: the directory is one like any other from then on.
func removeMark(dir disk.Dir, name string) error {
	if err := dir.Sync(); err != nil {
		return err
	}
	if err := dir.Remove(name); err != nil {
		return err
	}
	return dir.Sync()
}
