package wire

import (
	"crypto/sha256"
	"fmt"

	"balsa/raft"
)

// The binary form of a configuration is package raft's, which reads it from entries; what is here speaks of
// it as of every other form.

// The limits of a configuration.
const (
	MaxMembers = raft.MaxMembers // servers in one configuration
	MaxAddress = raft.MaxAddress // bytes of one address
)

// CheckConfiguration reports why a configuration has no binary form; see raft.Configuration.Check. What comes
// from a person is checked with it before it is encoded.
func CheckConfiguration(c raft.Configuration) error { return c.Check() }

// AppendConfiguration appends the binary form of a configuration, which raft.Configuration.AppendTo draws. It
// panics when CheckConfiguration objects.
func AppendConfiguration(dst []byte, c raft.Configuration) []byte { return c.AppendTo(dst) }

// DecodeConfiguration reads a configuration from the front of src and returns what follows it. Members must
// be in order of their ids and each must have a role. An error wraps ErrMalformed.
func DecodeConfiguration(src []byte) (c raft.Configuration, rest []byte, err error) {
	if c, rest, err = raft.DecodeConfiguration(src); err != nil {
		return raft.Configuration{}, nil, malformed("%v", err)
	}
	return c, rest, nil
}

// ClusterID derives the id of a cluster from its name and its bootstrap configuration, so that nodes started
// with different peers refuse each other. The name may be empty.
func ClusterID(name string, bootstrap raft.Configuration) (id raft.ClusterID) {
	h := sha256.New()
	fmt.Fprintf(h, "balsa cluster 1\n%d\n%s\n", len(name), name)
	h.Write(AppendConfiguration(nil, bootstrap))
	copy(id[:], h.Sum(nil))
	return id
}

// SucceedingClusterID derives the id of a cluster that is founded with the state of another one. The random
// bits make it one that nobody else derives: two clusters that were made of one backup, by the same command,
// refuse each other.
func SucceedingClusterID(
	of raft.ClusterID, random [16]byte, bootstrap raft.Configuration,
) (id raft.ClusterID) {
	h := sha256.New()
	fmt.Fprint(h, "balsa cluster 1, succeeding\n")
	h.Write(of[:])
	h.Write(random[:])
	h.Write(AppendConfiguration(nil, bootstrap))
	copy(id[:], h.Sum(nil))
	return id
}
