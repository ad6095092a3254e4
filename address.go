package balsa

import (
	"cmp"
	"errors"
	"fmt"
	"net"

	"balsa/raft"
	"balsa/wal"
)

// Where a node listens for its peers, and where it says that they reach it. Both may change from start to
// start: the node says it with every message, those who hear it answer there, and the leader has the
// configuration follow. So a node may move by itself, and even all of them at once, as long as some can be
// dialled (Config.Dial) to begin with.

// addresses returns both. The second is empty when only the configuration knows it: nobody here knows what a
// transport of the caller's own takes for an address.
func (c *Config) addresses(members raft.Configuration) (listen, says string, err error) {
	own, _ := members.Member(c.ID)
	listen = cmp.Or(c.Listen, own.Address)
	switch {
	case c.Advertise != "" || c.Transport != nil:
		return listen, c.Advertise, nil
	case listen == "":
		return "", "", errors.New("balsa: Config.Listen is missing: this node was founded to join a " +
			"cluster, and has not learned yet where it was to be reached")
	case reaches(own.Address, listen):
		return listen, own.Address, nil
	case own.Address != "" && own.Address == c.Peers[c.ID]: // said beside Listen: a proxy stands between
		return listen, own.Address, nil
	case !dialable(listen) && len(c.Dial) > 0: // the others may have proxies too
		return listen, own.Address, nil
	case !dialable(listen):
		return "", "", fmt.Errorf("%w: the others reach node %v at %q, which is not where it would listen, "+
			"%s: listen there, or say in Config.Advertise where they reach it now", wal.ErrForeign, c.ID,
			own.Address, listen)
	}
	return listen, listen, nil
}

// latest is the configuration in force on a server that starts: that of the last entry that carries one, or
// of the snapshot, or the bootstrap configuration. What cannot be read raft.New refuses.
func latest(restored raft.Restored) raft.Configuration {
	for i := len(restored.Entries) - 1; i >= 0; i-- {
		e := restored.Entries[i]
		if e.Kind != raft.ConfigurationChange || e.Index <= restored.Snapshot.Last.Index {
			continue
		}
		if c, _, err := raft.DecodeConfiguration(e.Command); err == nil {
			return c
		}
	}
	if restored.Snapshot.Last.Index > 0 {
		return restored.Snapshot.Members
	}
	return restored.Members
}

// reaches reports whether who listens on one address may be reached at another: the port is the same, and
// what a name stands for, or all addresses of a machine, cannot be known here.
func reaches(address, listen string) bool {
	if listen == address {
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

// dialable reports whether an address may be another node's: it names a host, and a port that is not yet to
// be drawn.
func dialable(address string) bool {
	host, port, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && host != "" && port != "" && port != "0" && (ip == nil || !ip.IsUnspecified())
}
