package balsa

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/url"
	"time"

	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
	"balsa/transport"
	"balsa/transport/tcp"
	"balsa/wal"
	"balsa/wire"
)

// tick is the length of a tick of the core: what every duration of Config is rounded up to.
const tick = 10 * time.Millisecond

// Config says what a node is. ID, StateMachine, and one of Dir and Disk are required; one of Peers and Joins
// is on a first start.
type Config struct {
	// ID is this node's id, positive, and different from every other node's.
	ID raft.NodeID
	// Dir is the data directory. It is created when missing, and locked while the node is open.
	Dir string
	// Disk takes the place of Dir when it is set.
	Disk disk.Dir
	// Peers are the addresses at which the first members reach each other, this node among them. They found
	// the cluster on the first start; later starts read the data directory, and refuse other peers than it
	// was founded with.
	Peers map[raft.NodeID]string
	// Joins is the id of a running cluster that this node joins. On the first start it takes the place of
	// Peers: the node learns who the members are when one of them adds it, with its Identity, by
	// ChangeMembership; until then it waits. Later starts need neither, and refuse another cluster than the
	// data directory's.
	Joins raft.ClusterID
	// Cluster is a name that tells apart clusters whose peers have the same ids and addresses. It may be
	// empty, and must be the same on every node and at every start.
	Cluster string

	// StateMachine is what is replicated. It must be empty: after every start the newest snapshot is restored
	// into it, if there is one, and the log behind that is applied to it again.
	StateMachine StateMachine

	// Listen is the address on which the default transport listens for peers. Empty means this node's
	// address in Peers, or on later starts in the configuration in force. It may be another one at each
	// start: the others learn it when they hear the node.
	Listen string
	// Advertise is where peers reach this node, if that is not Listen: when a proxy stands between, or Listen
	// is every address of the machine. Empty means Listen, or this node's address in the configuration in
	// force if who listens on Listen may be reached there.
	Advertise string
	// Dial overrides where the default transport reaches a peer, as host:port, for proxies between nodes. It
	// is this node's own business: no part of the configuration, nor of what the cluster is founded with.
	Dial map[raft.NodeID]string
	// API is the URL at which clients reach this node, such as "http://127.0.0.1:8001", for others to name
	// when this node leads. It may be empty; then nobody can be sent here. The node itself serves nothing
	// there.
	API string
	// Transport takes the place of the default one, which Messages says. The node starts and closes it.
	Transport transport.Transport
	// Messages says how nodes speak with each other; 0 means Binary. It must be the same on every node.
	Messages Messages
	// TLS has the nodes prove who they are, and encrypts what they say, when Messages is Binary: it has the
	// certificate of this node and the authority that signs those of all, see tcp.Secure. nil means that
	// anybody who reaches the address can act as a member.
	TLS *tls.Config

	// Heartbeat is how often a leader contacts its followers; 0 means 150 ms. A follower that hears nothing
	// for a time drawn from ElectionMin to ElectionMax campaigns. ElectionMin must exceed Heartbeat; 0 means
	// 300 ms. ElectionMax must exceed ElectionMin; 0 means two thirds more than that, 500 ms if both are 0.
	Heartbeat, ElectionMin, ElectionMax time.Duration
	// MaxCommand bounds a command in bytes; 0 means 4 MiB, the largest is 64 MiB less 1 KiB. It should be
	// the same on every node.
	MaxCommand int
	// SegmentBytes is the size up to which the files of the log grow, from 1 MiB on; 0 means 64 MiB.
	// Snapshots leave four times as much of the disk free for them, and are refused before they take it. Each
	// refusal in a row lets the next one leave half as much, down to SegmentBytes; one that fits ends that.
	SegmentBytes int64

	// SnapshotBytes is how many bytes of commands may stand in the log behind a snapshot before the next is
	// taken, or as many as that snapshot has when it is larger; 0 means 64 MiB. Twice as much, and commands
	// are refused with ErrOverloaded until a snapshot is durable. Below 0 there is no limit, and only
	// Node.Snapshot takes snapshots.
	SnapshotBytes int64
	// SnapshotRate bounds the bytes of snapshots that this node sends to others in a second; 0 is no bound.
	// Below what the log grows by in a second, a follower that lacks one may never get there.
	SnapshotRate int64
	// Codec compresses snapshots; nil means that they are written as they are. A node reads those that are
	// not compressed and those of its own codec, also when another node sends them: it should be the same on
	// every node.
	Codec snapshot.Codec

	// Repair lets Open set a damaged log or damaged snapshots aside, instead of refusing with an error:
	// the node starts, counts for nothing, and counts again when the others have brought back what it
	// lost. The damaged files stay, under names that begin with "damaged-". Both copies of the identity
	// damaged, a disk that does not answer, and a cluster of this node alone are refused all the same.
	Repair bool
	// Logger takes what the node has to tell: changes of role as Info, every append, replication and commit
	// as Debug, what needs a person as Warn or Error. nil means silence. It is called from the node's loop
	// and should not block.
	Logger *slog.Logger
}

const (
	// appendBytes bounds the entries of one message, but for a single one that is larger.
	appendBytes = 1 << 20
	// largestConfiguration is more than the entry of any configuration has.
	largestConfiguration = raft.MaxMembers * (2*raft.MaxAddress + 64)
	// largestOverhead is more than what surrounds a command in any message.
	largestOverhead = 1 << 10
	// largestCommand leaves room for it in wire's largest entry.
	largestCommand = 64<<20 - largestOverhead
	// longestAddress bounds the addresses of nodes in bytes.
	longestAddress = 255
)

// setDefaults fills in what was left zero.
func (c *Config) setDefaults() {
	if c.Heartbeat == 0 {
		c.Heartbeat = 150 * time.Millisecond
	}
	if c.ElectionMin == 0 {
		c.ElectionMin = 300 * time.Millisecond
	}
	if c.ElectionMax == 0 {
		c.ElectionMax = c.ElectionMin + c.ElectionMin/3*2
	}
	if c.MaxCommand == 0 {
		c.MaxCommand = 4 << 20
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// maxBody bounds a message in JSON, in bytes: one of the largest command, or of the largest configuration,
// which must get through however small the largest command is.
func (c *Config) maxBody() int64 {
	largest := max(c.MaxCommand, appendBytes, largestConfiguration) + largestOverhead
	return wire.JSONGrowth*int64(largest) + wire.JSONOverhead
}

// reserve is how many bytes of the disk snapshots leave to the log: the segment that it writes, the next one,
// which is prepared beside it, and two more until somebody has made room. A log that finds none ends the
// node. Where there is never so much, snapshots leave less (snapshot.Options.Reserve).
func (c *Config) reserve() int64 {
	segment := c.SegmentBytes
	if segment == 0 {
		segment = wal.DefaultSegmentBytes
	}
	return 4 * segment
}

// validate names everything that is wrong at once.
func (c *Config) validate() error {
	var wrong []error
	complain := func(bad bool, format string, values ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf("balsa: "+format, values...))
		}
	}
	complain(c.ID == raft.None, "Config.ID is missing: give every node a positive id of its own")
	complain(c.Dir == "" && c.Disk == nil, "Config.Dir is missing: name a directory for this node's data")
	complain(c.Dir != "" && c.Disk != nil, "Config.Dir and Config.Disk are both set: give one of them")
	complain(c.StateMachine == nil, "Config.StateMachine is missing")
	complain(c.Heartbeat < tick, "Config.Heartbeat is %v, at least %v is needed", c.Heartbeat, tick)
	complain(c.ElectionMin <= c.Heartbeat,
		"Config.ElectionMin (%v) must exceed Heartbeat (%v), or followers give up a healthy leader",
		c.ElectionMin, c.Heartbeat)
	complain(c.ElectionMax <= c.ElectionMin,
		"Config.ElectionMax (%v) must exceed ElectionMin (%v), or votes split for ever", c.ElectionMax,
		c.ElectionMin)
	complain(c.MaxCommand < 1 || c.MaxCommand > largestCommand,
		"Config.MaxCommand is %d bytes, it must be 1 to %d", c.MaxCommand, largestCommand)
	complain(c.SnapshotRate < 0, "Config.SnapshotRate is %d bytes in a second, it must be positive, or 0",
		c.SnapshotRate)
	if len(c.Peers) > 0 {
		_, own := c.Peers[c.ID]
		complain(!own, "Config.Peers does not name this node, %v: it must list every node, this one included",
			c.ID)
	}
	wrong = append(wrong, c.validateJoining()...)
	complain(c.Messages > ByHand, "Config.Messages is %d: write Binary, JSON or ByHand", c.Messages)
	complain(c.TLS != nil && c.Messages != Binary, "Config.TLS needs Messages to be Binary")
	if c.TLS != nil {
		if _, err := tcp.Secure(c.TLS); err != nil {
			complain(true, "Config.TLS: %v", err)
		}
	}
	if err := checkAPI(c.API); err != nil {
		complain(true, "Config.API %q %v", c.API, err)
	}
	wrong = append(wrong, c.validatePeers()...)
	return errors.Join(wrong...)
}

// checkAPI returns why an address is none for clients, as a clause. A path or a query would end up in the
// middle of the addresses that are made of it.
func checkAPI(address string) error {
	if address == "" {
		return nil
	}
	if err := wire.CheckAPI(address); err != nil {
		return err
	}
	u, err := url.Parse(address)
	known := err == nil && (u.Scheme == "http" || u.Scheme == "https")
	if !known || u.Host == "" || u.Scheme+"://"+u.Host != address {
		return errors.New("is no address for clients: write it as http://host:port")
	}
	return nil
}

// validateJoining checks what a node says that joins, and where it says that it is.
func (c *Config) validateJoining() (wrong []error) {
	complain := func(bad bool, format string, values ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf("balsa: "+format, values...))
		}
	}
	joins := c.Joins != raft.ClusterID{}
	complain(joins && len(c.Peers) > 0,
		"Config.Joins and Config.Peers are both set: a node founds a cluster with others, or joins one")
	complain(joins && c.Cluster != "",
		"Config.Joins and Config.Cluster are both set: the id in Joins tells the cluster apart already")
	complain(joins && c.Transport == nil && c.Listen == "",
		"Config.Listen is missing: a node that joins says where it listens for peers")
	complain(len(c.Advertise) > longestAddress, "Config.Advertise has %d bytes, at most %d", len(c.Advertise),
		longestAddress)
	complain(c.Advertise != "" && c.Transport == nil && !dialable(c.Advertise),
		"Config.Advertise is %q: write the host:port at which peers reach this node", c.Advertise)
	return wrong
}

func (c *Config) validatePeers() (wrong []error) {
	at := map[string]raft.NodeID{}
	for _, m := range raft.NewConfiguration(c.Peers).Members {
		if m.ID == raft.None {
			wrong = append(wrong, errors.New("balsa: Config.Peers names node 0: ids are positive"))
		}
		if len(m.Address) > longestAddress {
			wrong = append(wrong, fmt.Errorf("balsa: the address of node %v has %d bytes, at most %d", m.ID,
				len(m.Address), longestAddress))
		}
		if _, _, err := net.SplitHostPort(m.Address); err != nil && c.Transport == nil {
			wrong = append(wrong, fmt.Errorf("balsa: the address of node %v: %w: write host:port", m.ID, err))
		}
		if other, taken := at[m.Address]; taken {
			wrong = append(wrong,
				fmt.Errorf("balsa: nodes %v and %v have the same address %s", other, m.ID, m.Address))
		}
		at[m.Address] = m.ID
	}
	return wrong
}

// ticks converts a duration, rounding up: rounding down could make two timings equal that must differ.
func ticks(d time.Duration) int { return int((d + tick - 1) / tick) }

func (c *Config) core(seed uint64) raft.Config {
	return raft.Config{
		ID:          c.ID,
		ElectionMin: ticks(c.ElectionMin),
		ElectionMax: ticks(c.ElectionMax),
		Heartbeat:   ticks(c.Heartbeat),
		Limits:      raft.Limits{SnapshotBytes: int(min(c.SnapshotBytes, math.MaxInt))},
		Seed:        seed,
		Events:      true,
	}
}
