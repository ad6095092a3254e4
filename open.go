package balsa

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/transport"
	"balsa/transport/httpjson"
	"balsa/transport/tcp"
	"balsa/wal"
	"balsa/wire"
)

// Open starts a node: it locks and reads the data directory, founds it on the first start, listens for
// peers and takes part in the cluster. It returns as soon as the node runs; who leads is then not known
// yet.
//
// An error means that nothing runs, and that nothing on the disk was changed but what makes a first start and
// the count of starts (wal.Open and snapshot.Open tell what their errors mean). Everything that is wrong with
// the configuration is named at once.
func Open(config Config) (*Node, error) {
	config.setDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	dir, unlock, err := openDisk(config)
	if err != nil {
		return nil, err
	}
	files, found, restored, err := openFiles(dir, config)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	n, err := assemble(config, files, found, restored)
	if err != nil {
		return nil, errors.Join(err, files.snapshots.Close(), files.log.Close(), unlock())
	}
	n.dir, n.unlock = dir, unlock
	return n, nil
}

// openFiles opens the log and the snapshots; when they are damaged, and other nodes may have what was lost,
// it sets them aside and begins with what is good.
func openFiles(dir disk.Dir, config Config) (files, wal.Recovered, raft.Restored, error) {
	opened, found, restored, err := openSound(dir, config)
	if !config.Repair || !isDamage(err) {
		return opened, found, restored, err
	}
	if refusal := setDamagedAside(dir, config, err); refusal != nil {
		return files{}, wal.Recovered{}, raft.Restored{}, refusal
	}
	return openSound(dir, config)
}

func openSound(dir disk.Dir, config Config) (files, wal.Recovered, raft.Restored, error) {
	log, found, err := openLog(dir, config)
	if err != nil {
		return files{}, wal.Recovered{}, raft.Restored{}, err
	}
	keeper, restored, err := openSnapshots(dir, config, found)
	if err != nil {
		return files{}, wal.Recovered{}, raft.Restored{}, errors.Join(err, log.Close())
	}
	return files{log, keeper}, found, restored, nil
}

// assemble joins the parts in the order in which they depend on each other, and starts them.
func assemble(config Config, files files, found wal.Recovered, restored raft.Restored) (*Node, error) {
	listen, address, err := config.addresses(latest(restored))
	if err != nil {
		return nil, err
	}
	identity := raft.Identity{
		Cluster:     found.Identity.Cluster,
		Node:        found.Identity.Node,
		Incarnation: found.Identity.Incarnation,
		Start:       found.Start,
		API:         config.API,
		Address:     address,
		Version:     raft.SupportedVersion,
	}
	if found.Torn > 0 {
		config.Logger.Warn("Cut off an unfinished write at the end of the log", "bytes", found.Torn)
	}
	r, err := replica.New(replica.Config{
		Core:         config.core(random()),
		Identity:     identity,
		Tick:         raft.Time(tick),
		Peers:        found.Peers,
		ByHand:       config.Messages == ByHand,
		Snapshots:    true,
		SnapshotRate: config.SnapshotRate,
		Passing:      snapshot.Passing,
	}, restored)
	if err != nil {
		return nil, err
	}
	n := &Node{config: config, identity: identity, files: files}
	n.transport, err = newTransport(config, identity, listen)
	if err != nil {
		return nil, err
	}
	n.loop = newLoop(r, identity, n.transport, config.Logger)
	if err := n.transport.Start(n.loop); err != nil {
		close(n.loop.ended)
		return nil, errors.Join(err, n.transport.Close())
	}
	n.loop.start(files, config.StateMachine)
	return n, nil
}

// openDisk returns the data directory and what gives it back at the end: a Config.Disk is its owner's to
// close.
func openDisk(config Config) (dir disk.Dir, unlock func() error, err error) {
	dir, unlock = config.Disk, func() error { return nil }
	if dir == nil {
		if dir, err = disk.OS(config.Dir); err != nil {
			return nil, nil, err
		}
		unlock = dir.Close
	}
	if err := finished(dir); err != nil {
		return nil, nil, errors.Join(err, unlock())
	}
	return dir, unlock, nil
}

// openLog opens the write-ahead log, which founds the data directory when it is new and Peers says with whom,
// or Joins which cluster it joins.
func openLog(dir disk.Dir, config Config) (*wal.Log, wal.Recovered, error) {
	expected := wal.Identity{Node: config.ID}
	if len(config.Peers) > 0 {
		expected.Bootstrap = raft.NewConfiguration(config.Peers)
		expected.Cluster = wire.ClusterID(config.Cluster, expected.Bootstrap)
		expected.Incarnation = raft.Incarnation(random())
	}
	if config.Joins != (raft.ClusterID{}) {
		expected.Cluster, expected.Joins = config.Joins, true
		expected.Incarnation = raft.Incarnation(random())
	}
	log, found, err := wal.Open(dir, wal.Options{Identity: expected, SegmentBytes: config.SegmentBytes})
	if err != nil {
		return nil, wal.Recovered{}, err
	}
	if err := config.fits(found.Identity); err != nil {
		return nil, wal.Recovered{}, errors.Join(err, log.Close())
	}
	return log, found, nil
}

// openSnapshots verifies the newest snapshot, an older one if need be, and joins the log to it. A damaged
// one is told, and does no harm as long as all that it included is still here: in the one before it, or at
// the beginning, and in the log.
func openSnapshots(dir disk.Dir, config Config,
	found wal.Recovered) (*snapshot.Keeper, raft.Restored, error) {
	options := snapshot.Options{Cluster: found.Identity.Cluster, LogWhole: found.Before == raft.EntryID{},
		Reserve: config.reserve()}
	if config.Codec != nil {
		options.Codecs = []snapshot.Codec{config.Codec}
	}
	store, kept, err := snapshot.Open(dir, options)
	if err != nil {
		return nil, raft.Restored{}, err
	}
	keeper := snapshot.NewKeeper(store)
	restored, err := replica.Recover(found.Identity.Bootstrap, found.State, found.Before, found.Entries,
		keeper.List())
	restored.Joins, restored.Repairing = found.Identity.Joins, found.Repairing
	if err == nil && found.Repairing { // what they included comes back with the rest
		err = asideToo(dir, config, kept.Broken)
		kept.Broken = nil
	}
	for _, b := range kept.Broken {
		if err == nil && !replica.Includes(restored, b.Last) {
			err = fmt.Errorf("what it includes is nowhere else: %w", b.Err)
		}
	}
	if err != nil {
		return nil, raft.Restored{}, errors.Join(damaged(err, kept.Broken), keeper.Close())
	}
	for _, b := range kept.Broken {
		why := b.Err.Error() // with what to do when the node cannot start; but it can
		if d := (*snapshot.Damage)(nil); errors.As(b.Err, &d) {
			why = fmt.Sprintf("at byte %d: %s", d.Offset, d.What)
		}
		config.Logger.Warn("A snapshot is damaged; another one and the log serve in its place",
			"file", b.Name, "why", why)
	}
	return keeper, restored, nil
}

// damaged says of a data directory whose parts do not join what to do, and which snapshots are to blame.
func damaged(err error, broken []snapshot.Broken) error {
	for _, b := range broken {
		if !errors.Is(err, b.Err) {
			err = fmt.Errorf("%w; %w", err, b.Err)
		}
	}
	if errors.Is(err, snapshot.ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: %w", err, snapshot.ErrCorrupt)
}

// fits refuses a name of the cluster that is not the one of the data directory, when no peers are given of
// which wal.Open could tell it.
func (c *Config) fits(found wal.Identity) error {
	switch {
	case len(c.Peers) > 0 || c.Cluster == "":
		return nil
	case found.Joins:
		return fmt.Errorf("%w: it was founded to join a cluster by its id, so whether that has the name %q "+
			"is not known: leave the name out", wal.ErrForeign, c.Cluster)
	case wire.ClusterID(c.Cluster, found.Bootstrap) != found.Cluster:
		return fmt.Errorf("%w: its cluster was not founded with the name %q: give the name of its first "+
			"start, or none", wal.ErrForeign, c.Cluster)
	}
	return nil
}

// newTransport makes the default transport, unless another one was given. Whom it reaches it is told by the
// loop, before anything is sent.
func newTransport(config Config, identity raft.Identity, listen string) (transport.Transport, error) {
	switch {
	case config.Transport != nil:
		return config.Transport, nil
	case config.Messages == Binary:
		return tcp.New(tcp.Config{
			Self: identity, Listen: listen, Dial: config.Dial, TLS: config.TLS, Log: config.Logger,
		})
	}
	return httpjson.New(httpjson.Config{
		Self:    identity,
		Listen:  listen,
		Dial:    config.Dial,
		ByHand:  config.Messages == ByHand,
		MaxBody: config.maxBody(),
		Log:     config.Logger,
	})
}

// random draws 64 bits that are not all zero: a seed, an incarnation.
func random() uint64 {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails
		if n := binary.LittleEndian.Uint64(b[:]); n != 0 {
			return n
		}
	}
}
