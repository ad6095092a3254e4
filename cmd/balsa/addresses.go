package main

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"balsa/raft"
)

// parseID reads an id as people write it: 2, or n2.
func parseID(s string) (raft.NodeID, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(s, "n"), 10, 64)
	if err != nil || id == 0 {
		return raft.None, fmt.Errorf("%q is no id: ids are whole numbers from 1 on", s)
	}
	return raft.NodeID(id), nil
}

// parsePeers reads 1=127.0.0.1:7001,2=127.0.0.1:7002 and returns every mistake.
func parsePeers(s string) (peers map[raft.NodeID]string, wrong []error) {
	peers = map[raft.NodeID]string{}
	at := map[string]raft.NodeID{}
	for part := range strings.SplitSeq(s, ",") {
		name, address, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			wrong = append(wrong, fmt.Errorf("--peers: %q is not ID=HOST:PORT, as in 1=127.0.0.1:7001", part))
			continue
		}
		id, err := parseID(name)
		if err == nil {
			_, _, err = splitAddress(address)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("--peers: %w", err))
			continue
		}
		if _, twice := peers[id]; twice {
			wrong = append(wrong, fmt.Errorf("--peers names node %v twice: give every node one address", id))
		}
		if other, twice := at[address]; twice {
			wrong = append(wrong, fmt.Errorf("--peers gives nodes %v and %v the same address %s: "+
				"every node needs its own", other, id, address))
		}
		peers[id], at[address] = address, id
	}
	return peers, wrong
}

// splitAddress reads HOST:PORT with a port in figures.
func splitAddress(address string) (host string, port int, err error) {
	host, name, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("%q is no address: write HOST:PORT, as in 127.0.0.1:7001", address)
	}
	port, err = strconv.Atoi(name)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q has no port from 0 to 65535: write HOST:PORT, as in 127.0.0.1:7001",
			address)
	}
	return host, port, nil
}

// isLoopback reports whether only this machine can reach the host. A name other than localhost is not looked
// up: what it means today it need not mean tomorrow.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseRange reads 300ms..500ms.
func parseRange(s string) (least, most time.Duration, err error) {
	from, to, ok := strings.Cut(s, "..")
	if ok {
		least, err = time.ParseDuration(from)
		if err == nil {
			most, err = time.ParseDuration(to)
		}
	}
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("%q is no range of durations: write MIN..MAX, as in 300ms..500ms", s)
	}
	return least, most, nil
}

// listIDs prints the ids of peers in order, for messages.
func listIDs(peers map[raft.NodeID]string) string {
	var ids []raft.NodeID
	for id := range peers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	return strings.Join(names, ", ")
}

// probe reports why nobody could listen on an address now; nil if somebody could.
func probe(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return listener.Close()
}

// parseSize reads a number of bytes as people write it: 4096, 512KiB, 64MiB, 1GiB.
func parseSize(s string) (int64, error) {
	units := []struct {
		name  string
		shift uint
	}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"", 0}}
	for _, unit := range units {
		number, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n <= 0 || n > math.MaxInt64>>unit.shift {
			break
		}
		return n << unit.shift, nil
	}
	return 0, fmt.Errorf("%q is no size: write 512KiB, 64MiB or 1GiB", s)
}
