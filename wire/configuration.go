package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"balsa/raft"
)

// The limits of a configuration: far above any cluster that makes sense, far below what could hurt.
const (
	MaxMembers = 1024 // servers in one configuration
	MaxAddress = 1024 // bytes of one address
)

const configurationVersion = 1

// CheckConfiguration reports why a configuration has no binary form: members out of order, without an id or
// without a role, a role without its member, too many members, an address too long. The error is a sentence
// about that; what comes from a person is checked with it before it is encoded.
func CheckConfiguration(c raft.Configuration) error {
	if len(c.Members) > MaxMembers {
		return fmt.Errorf("%d members, at most %d", len(c.Members), MaxMembers)
	}
	last := raft.None
	for _, m := range c.Members {
		if m.ID <= last {
			return fmt.Errorf("member %d comes after member %d: ids are positive and ascending", m.ID, last)
		}
		if n := max(len(m.Address), len(m.API)); n > MaxAddress {
			return fmt.Errorf("member %d has an address of %d bytes, at most %d", m.ID, n, MaxAddress)
		}
		if roles(c, m.ID) == 0 {
			return fmt.Errorf("member %d is neither voter nor learner", m.ID)
		}
		last = m.ID
	}
	return checkRoles(c)
}

// checkRoles refuses a set that its bits in the members could not give back.
func checkRoles(c raft.Configuration) error {
	for _, set := range [][]raft.NodeID{c.Voters, c.Outgoing, c.Learners} {
		last := raft.None
		for _, id := range set {
			if _, known := c.Member(id); !known {
				return fmt.Errorf("server %d has a role and is no member", id)
			}
			if id <= last {
				return fmt.Errorf("server %d comes after server %d: ids are ascending", id, last)
			}
			last = id
		}
	}
	return nil
}

// AppendConfiguration appends the binary form of a configuration, little-endian, ids in order. It panics when
// CheckConfiguration objects: a voter or the end of an address that went missing silently would split the
// cluster.
//
//	┌─────────┬───────┬───────┬──────────────────────────────────────────────────┐
//	│ version │ flags │ count │ count × member                                   │
//	│ u8 = 1  │ u8    │ u16   │                                                  │
//	└─────────┴───────┴───────┴──────────────────────────────────────────────────┘
//	flags   1 auto-promote
//	member  ┌────────┬─────────────┬───────┬────────┬─────────┬────────┬─────────┐
//	        │ id u64 │ incarn. u64 │ roles │ length │ address │ length │ API     │
//	        │        │             │ u8    │ u16    │         │ u16    │ address │
//	        └────────┴─────────────┴───────┴────────┴─────────┴────────┴─────────┘
//	roles   1 voter, 2 outgoing voter, 4 learner
func AppendConfiguration(dst []byte, c raft.Configuration) []byte {
	if err := CheckConfiguration(c); err != nil {
		panic("wire: configuration: " + err.Error())
	}
	dst = appendFlags(append(dst, configurationVersion), c.AutoPromote)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(c.Members)))
	for _, m := range c.Members {
		dst = append(appendNumbers(dst, uint64(m.ID), uint64(m.Incarnation)), roles(c, m.ID))
		dst = appendShort(dst, m.Address)
		dst = appendShort(dst, m.API)
	}
	return dst
}

// DecodeConfiguration reads a configuration from the front of src and returns what follows it. Members must
// be in order of their ids and each must have a role. An error wraps ErrMalformed.
func DecodeConfiguration(src []byte) (c raft.Configuration, rest []byte, err error) {
	if len(src) < 4 || src[0] != configurationVersion || src[1] > 1 {
		return c, nil, malformed("configuration: not of version %d", configurationVersion)
	}
	c.AutoPromote = src[1] == 1
	count, src := int(binary.LittleEndian.Uint16(src[2:])), src[4:]
	if count > MaxMembers {
		return c, nil, malformed("configuration: %d members, at most %d", count, MaxMembers)
	}
	for range count {
		if src, err = decodeMember(&c, src); err != nil {
			return raft.Configuration{}, nil, err
		}
	}
	return c, src, nil
}

func decodeMember(c *raft.Configuration, src []byte) (rest []byte, err error) {
	if len(src) < 17 {
		return nil, malformed("configuration: a member is cut off")
	}
	m := raft.Member{
		ID:          raft.NodeID(binary.LittleEndian.Uint64(src)),
		Incarnation: raft.Incarnation(binary.LittleEndian.Uint64(src[8:])),
	}
	role := src[16]
	if n := len(c.Members); m.ID == raft.None || n > 0 && c.Members[n-1].ID >= m.ID {
		return nil, malformed("configuration: member %d out of order", m.ID)
	}
	if role == 0 || role > 7 {
		return nil, malformed("configuration: member %d has roles %d", m.ID, role)
	}
	if m.Address, src, err = decodeShort(src[17:]); err != nil {
		return nil, err
	}
	if m.API, src, err = decodeShort(src); err != nil {
		return nil, err
	}
	c.Members = append(c.Members, m)
	if role&1 != 0 {
		c.Voters = append(c.Voters, m.ID)
	}
	if role&2 != 0 {
		c.Outgoing = append(c.Outgoing, m.ID)
	}
	if role&4 != 0 {
		c.Learners = append(c.Learners, m.ID)
	}
	return src, nil
}

// roles returns one bit for each set that names the server.
func roles(c raft.Configuration, id raft.NodeID) (role byte) {
	for bit, set := range [][]raft.NodeID{c.Voters, c.Outgoing, c.Learners} {
		if slices.Contains(set, id) {
			role |= 1 << bit
		}
	}
	return role
}

func appendShort(dst []byte, s string) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

func decodeShort(src []byte) (s string, rest []byte, err error) {
	if len(src) < 2 {
		return "", nil, malformed("configuration: an address is cut off")
	}
	length, src := int(binary.LittleEndian.Uint16(src)), src[2:]
	if length > MaxAddress || length > len(src) {
		return "", nil, malformed("configuration: an address of %d bytes in %d", length, len(src))
	}
	return string(src[:length]), src[length:], nil
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
