package balsa

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/transport"
	"balsa/transport/httpjson"
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
	log, found, err := openLog(dir, config)
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	keeper, restored, err := openSnapshots(dir, config, found)
	if err != nil {
		return nil, errors.Join(err, log.Close(), unlock())
	}
	n, err := assemble(config, files{log, keeper}, found, restored)
	if err != nil {
		return nil, errors.Join(err, keeper.Close(), log.Close(), unlock())
	}
	n.unlock = unlock
	return n, nil
}

// assemble joins the parts in the order in which they depend on each other, and starts them.
func assemble(config Config, files files, found wal.Recovered, restored raft.Restored) (*Node, error) {
	identity := raft.Identity{
		Cluster:     found.Identity.Cluster,
		Node:        found.Identity.Node,
		Incarnation: found.Identity.Incarnation,
		Start:       found.Start,
		API:         config.API,
	}
	if found.Torn > 0 {
		config.Logger.Warn("Cut off an unfinished write at the end of the log", "bytes", found.Torn)
	}
	r, err := replica.New(replica.Config{
		Core:         config.core(random()),
		Identity:     identity,
		Tick:         raft.Time(tick),
		Peers:        found.Peers,
		ByHand:       config.ByHand,
		Snapshots:    true,
		SnapshotRate: config.SnapshotRate,
		Passing:      snapshot.Passing,
	}, restored)
	if err != nil {
		return nil, err
	}
	n := &Node{config: config, identity: identity, files: files}
	n.transport, err = newTransport(config, identity, restored.Members)
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
	if config.Disk != nil {
		return config.Disk, func() error { return nil }, nil
	}
	if dir, err = disk.OS(config.Dir); err != nil {
		return nil, nil, err
	}
	return dir, dir.Close, nil
}

// openLog opens the write-ahead log, which founds the data directory when it is new and Peers says with whom.
func openLog(dir disk.Dir, config Config) (*wal.Log, wal.Recovered, error) {
	expected := wal.Identity{Node: config.ID}
	if len(config.Peers) > 0 {
		expected.Bootstrap = raft.NewConfiguration(config.Peers)
		expected.Cluster = wire.ClusterID(config.Cluster, expected.Bootstrap)
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

// fits refuses what a later start says of the cluster and the data directory knows otherwise, when no peers
// are given of which wal.Open could tell it. A node that listened where nobody looks for it would look
// healthy.
func (c *Config) fits(found wal.Identity) error {
	if len(c.Peers) > 0 {
		return nil
	}
	if c.Cluster != "" && wire.ClusterID(c.Cluster, found.Bootstrap) != found.Cluster {
		return fmt.Errorf("%w: its cluster was not founded with the name %q: give the name of its first "+
			"start, or none", wal.ErrForeign, c.Cluster)
	}
	own, _ := found.Bootstrap.Member(c.ID)
	if c.Transport == nil && len(c.Dial) == 0 && !reaches(own.Address, c.Listen) {
		return fmt.Errorf("%w: the others reach node %v at %s, which is not where it would listen, %s: "+
			"listen there, or leave it out", wal.ErrForeign, c.ID, own.Address, c.Listen)
	}
	return nil
}

// reaches reports whether who listens on one address may be reached at another: the port is the same, and
// what a name stands for, or all addresses of a machine, cannot be known here.
func reaches(address, listen string) bool {
	if listen == "" || listen == address {
		return true
	}
	host, port, err := net.SplitHostPort(address)
	bound, boundPort, boundErr := net.SplitHostPort(listen)
	if err != nil || boundErr != nil || port != boundPort {
		return false
	}
	ip, at := net.ParseIP(host), net.ParseIP(bound)
	return ip == nil || at == nil || at.IsUnspecified() || ip.Equal(at)
}

// newTransport makes the default transport to the members that the data directory names, unless another one
// was given.
func newTransport(config Config, identity raft.Identity,
	members raft.Configuration) (transport.Transport, error) {
	if config.Transport != nil {
		return config.Transport, nil
	}
	peers := map[raft.NodeID]string{}
	for _, m := range members.Members {
		peers[m.ID] = m.Address
	}
	listen := config.Listen
	if listen == "" {
		listen = peers[config.ID]
	}
	largest := max(config.MaxCommand, appendBytes) + largestOverhead
	return httpjson.New(httpjson.Config{
		Self:    identity,
		Listen:  listen,
		Peers:   peers,
		Dial:    config.Dial,
		ByHand:  config.ByHand,
		MaxBody: wire.JSONGrowth*int64(largest) + wire.JSONOverhead,
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
