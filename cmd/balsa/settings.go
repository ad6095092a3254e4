package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"balsa"
	"balsa/raft"

	"github.com/spf13/pflag"
)

// serveFlags is the command line of serve, as written.
type serveFlags struct {
	id, data, raft, http, peers string
	cluster                     string
	messages                    messageFlags
	advertise, advertiseRaft    string
	join                        []string
	dial                        []string
	insecure, repair            bool
	heartbeat                   time.Duration
	election, logLevel          string
	snapshotBytes, snapshotRate string
	supervised                  bool // hidden: dev sets it for its children
}

func (f *serveFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.id, "id", "", "this node's id, a whole number from 1 on (required)")
	flags.StringVar(&f.data, "data", "", "this node's data directory, made when missing (required)")
	flags.StringVar(&f.raft, "raft", "",
		"address for peers, as in 127.0.0.1:7001; default: this node's in --peers")
	flags.StringVar(&f.http, "http", "", "address for clients, as in 127.0.0.1:8001 (required)")
	flags.StringVar(&f.advertise, "advertise-http", "",
		"URL at which clients reach this node, told to the others; default: http:// and --http")
	flags.StringVar(&f.advertiseRaft, "advertise-raft", "",
		"HOST:PORT at which peers reach this node, if that is not --raft")
	flags.StringSliceVar(&f.dial, "dial", nil,
		"ID=HOST:PORT: where to reach a peer that is behind a proxy; may be repeated")
	flags.StringVar(&f.peers, "peers", "",
		"every node, this one included: 1=127.0.0.1:7001,2=…; needed at the first start only")
	flags.StringSliceVar(&f.join, "join", nil,
		"URL of a node of a running cluster, as in http://127.0.0.1:8001, that this node joins at its "+
			"first start, in place of --peers; several, for when one does not answer")
	flags.StringVar(&f.cluster, "cluster", "",
		"the cluster's name, the same on every node and at every start")
	f.messages.register(flags)
	flags.DurationVar(&f.heartbeat, "heartbeat", 150*time.Millisecond,
		"how often a leader contacts its followers")
	flags.StringVar(&f.election, "election-timeout", "300ms..500ms",
		"how long a follower waits for a leader before it campaigns, drawn from MIN..MAX")
	flags.StringVar(&f.snapshotBytes, "snapshot-bytes", "64MiB",
		"how much is written to the log before the next snapshot, as in 512KiB or 1GiB; or never: by hand. "+
			"Snapshots leave 256MiB of the disk free for the log, or 64MiB where it never has so much")
	flags.StringVar(&f.snapshotRate, "snapshot-rate", "",
		"how much of snapshots is sent to other nodes in a second, as in 20MiB; default: no bound")
	flags.BoolVar(&f.repair, "repair", true,
		"with damage of the log or of snapshots: set the damaged files aside, count for nothing until the "+
			"other nodes have brought back what was lost, and then go on; --repair=false: refuse to start")
	flags.BoolVar(&f.insecure, "insecure-i-understand", false,
		"listen on addresses that other machines reach, though nothing is encrypted or authenticated")
	registerLevel(flags, &f.logLevel, "info")
	flags.BoolVar(&f.supervised, "supervised", false,
		"stop when standard input closes, and leave Ctrl-C to the parent")
	_ = flags.MarkHidden("supervised")
}

// settings are the flags of serve once they make sense together.
type settings struct {
	node       balsa.Config // without what serve itself adds: state machine and logger
	http       string
	join       []string // the URLs of the cluster to join
	supervised bool
	level      slog.Level
}

// raft is the address for peers, empty when only the data directory knows it.
func (s settings) raft() string {
	if s.node.Listen != "" {
		return s.node.Listen
	}
	return s.node.Peers[s.node.ID]
}

// mistakes collects what is wrong with a command line, so that a person mends all of it at once.
type mistakes []error

func (m *mistakes) add(format string, values ...any) { *m = append(*m, fmt.Errorf(format, values...)) }

// settings checks everything that can be known without touching disk or network.
func (f *serveFlags) settings() (settings, error) {
	var wrong mistakes
	s := settings{http: f.http, supervised: f.supervised}
	s.node = balsa.Config{Dir: f.data, Cluster: f.cluster, Listen: f.raft, Advertise: f.advertiseRaft,
		Heartbeat: f.heartbeat, Repair: f.repair}
	if f.id == "" {
		wrong.add("--id is missing: give every node a number of its own, as in --id 1")
	} else if id, err := parseID(f.id); err != nil {
		wrong.add("--id: %w", err)
	} else {
		s.node.ID = id
	}
	if f.data == "" {
		wrong.add("--data is missing: name a directory for this node's data, as in --data node1")
	}
	f.messages.check(&s.node, &wrong)
	s.level = checkLevel(f.logLevel, &wrong)
	f.checkSnapshots(&s.node, &wrong)
	f.checkTimes(&s.node, &wrong)
	f.checkPeers(&s.node, &wrong)
	f.checkJoin(&s, &wrong)
	f.checkAddresses(&wrong)
	f.checkDial(&s.node, &wrong)
	f.checkAdvertise(&s.node, &wrong)
	return s, joined(exitUsage, wrong)
}

// registerLevel registers the flag that says how much a node tells.
func registerLevel(flags *pflag.FlagSet, level *string, standard string) {
	flags.StringVar(level, "log-level", standard,
		"debug (every append, replication and commit), info, warn or error")
}

func checkLevel(name string, wrong *mistakes) (level slog.Level) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, name) {
		wrong.add("--log-level is %q: write debug, info, warn or error", name)
		return level
	}
	_ = level.UnmarshalText([]byte(name)) // knows these four
	return level
}

// checkSnapshots reads what is said of snapshots, which are always compressed.
func (f *serveFlags) checkSnapshots(config *balsa.Config, wrong *mistakes) {
	config.Codec = compression{}
	var err error
	if f.snapshotBytes == "never" {
		config.SnapshotBytes = -1
	} else if config.SnapshotBytes, err = parseSize(f.snapshotBytes); err != nil {
		wrong.add("--snapshot-bytes: %w, or never", err)
	}
	if f.snapshotRate == "" {
		return
	}
	if config.SnapshotRate, err = parseSize(f.snapshotRate); err != nil {
		wrong.add("--snapshot-rate: %w", err)
	}
}

func (f *serveFlags) checkTimes(config *balsa.Config, wrong *mistakes) {
	least, most, err := parseRange(f.election)
	if err != nil {
		wrong.add("--election-timeout: %w", err)
		return
	}
	if f.heartbeat < 10*time.Millisecond {
		wrong.add("--heartbeat is %v: at least 10ms is needed", f.heartbeat)
	}
	if least <= f.heartbeat {
		wrong.add("--election-timeout begins at %v: it must exceed --heartbeat, %v, "+
			"or followers give up a healthy leader", least, f.heartbeat)
	}
	if most <= least {
		wrong.add("--election-timeout ends at %v: it must end above its beginning, %v, "+
			"or votes split for ever", most, least)
	}
	config.ElectionMin, config.ElectionMax = least, most
}

func (f *serveFlags) checkPeers(config *balsa.Config, wrong *mistakes) {
	if f.peers == "" {
		return // a later start: the data directory knows them
	}
	peers, bad := parsePeers(f.peers)
	*wrong = append(*wrong, bad...)
	config.Peers = peers
	if config.ID == raft.None || len(bad) > 0 {
		return
	}
	own, listed := peers[config.ID]
	if !listed {
		wrong.add("--peers names %s but not this node, %v: list every node, this one included",
			listIDs(peers), config.ID)
	} else if f.raft != "" && f.raft != own {
		wrong.add("--raft is %s, but --peers says that node %v is at %s: make them the same, or leave "+
			"--peers out to start a node that has moved", f.raft, config.ID, own)
	}
	if f.raft == "" {
		f.raft = own // so that what is said about --raft is said about it
	}
}

// checkDial reads the proxies. Which ids the cluster has, a later start learns from the data directory.
func (f *serveFlags) checkDial(config *balsa.Config, wrong *mistakes) {
	for _, part := range f.dial {
		name, address, ok := strings.Cut(part, "=")
		id, err := parseID(name)
		if ok && err == nil {
			_, _, err = splitAddress(address)
		}
		if !ok || err != nil {
			wrong.add("--dial: %q is not ID=HOST:PORT, as in 2=127.0.0.1:9002", part)
			continue
		}
		_, member := config.Peers[id]
		switch _, twice := config.Dial[id]; {
		case twice:
			wrong.add("--dial names node %v twice: give it one address", id)
		case id == config.ID:
			wrong.add("--dial names node %v, which is this one: name its peers", id)
		case len(config.Peers) > 0 && !member && !f.supervised: // who joins later has a proxy already
			wrong.add("--dial names node %v, which --peers does not: name a peer", id)
		}
		if config.Dial == nil {
			config.Dial = map[raft.NodeID]string{}
		}
		config.Dial[id] = address
	}
}

// checkAdvertise says where others send clients. The listening address is the best guess, unless its port is
// still to be drawn or it is no address that a client could use.
func (f *serveFlags) checkAdvertise(config *balsa.Config, wrong *mistakes) {
	config.API = f.advertise
	if f.advertise == "" {
		host, port, err := splitAddress(f.http)
		ip := net.ParseIP(host)
		if err == nil && port != 0 && host != "" && (ip == nil || !ip.IsUnspecified()) {
			config.API = "http://" + f.http
		}
		return
	}
	u, err := url.Parse(f.advertise)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.Scheme+"://"+u.Host != f.advertise {
		wrong.add("--advertise-http is %q: write http://HOST:PORT, as in http://127.0.0.1:8001", f.advertise)
	}
}

func (f *serveFlags) checkAddresses(wrong *mistakes) {
	if f.http == "" {
		wrong.add("--http is missing: give the address for clients, as in --http 127.0.0.1:8001")
	} else {
		f.checkListen("--http", f.http, wrong)
	}
	if f.raft != "" {
		f.checkListen("--raft", f.raft, wrong)
	}
	if host, port, err := splitAddress(cmp.Or(f.advertiseRaft, "a:1")); err != nil {
		wrong.add("--advertise-raft: %w", err)
	} else if ip := net.ParseIP(host); host == "" || port == 0 || ip != nil && ip.IsUnspecified() {
		wrong.add("--advertise-raft is %s: write the HOST:PORT at which peers reach this node",
			f.advertiseRaft)
	}
	if f.raft != "" && f.raft == f.http {
		wrong.add("--raft and --http are both %s: give peers and clients an address each", f.raft)
	}
}

func (f *serveFlags) checkListen(flag, address string, wrong *mistakes) {
	host, _, err := splitAddress(address)
	if err != nil {
		wrong.add("%s: %w", flag, err)
	} else if !isLoopback(host) && !f.insecure {
		wrong.add("%s is %s, which other machines may reach, and nothing is encrypted or authenticated: "+
			"listen on 127.0.0.1, or add --insecure-i-understand", flag, address)
	}
}
