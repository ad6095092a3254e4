package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"balsa/raft"
)

// The limits of a configuration: far above any cluster that makes sense, far below what could hurt.
const (
	maxMembers = 1024
	maxAddress = 1024 // bytes
)

const configurationVersion = 1

// AppendConfiguration appends the binary form of a configuration, little-endian, ids in order:
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
	var flags byte
	if c.AutoPromote {
		flags = 1
	}
	dst = append(dst, configurationVersion, flags)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(c.Members)))
	for _, m := range c.Members {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(m.ID))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Incarnation))
		dst = append(dst, roles(c, m.ID))
		dst = appendShort(dst, m.Address)
		dst = appendShort(dst, m.API)
	}
	return dst
}

// DecodeConfiguration reads a configuration from the front of src and returns what follows it. Members must be in order
// of their ids and each must have a role. An error wraps ErrMalformed.
func DecodeConfiguration(src []byte) (c raft.Configuration, rest []byte, err error) {
	if len(src) < 4 || src[0] != configurationVersion || src[1] > 1 {
		return c, nil, fmt.Errorf("configuration: not of version %d: %w", configurationVersion, ErrMalformed)
	}
	c.AutoPromote = src[1] == 1
	count, src := int(binary.LittleEndian.Uint16(src[2:])), src[4:]
	if count > maxMembers {
		return c, nil, fmt.Errorf("configuration: %d members, at most %d: %w", count, maxMembers, ErrMalformed)
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
		return nil, fmt.Errorf("configuration: a member is cut off: %w", ErrMalformed)
	}
	m := raft.Member{
		ID:          raft.NodeID(binary.LittleEndian.Uint64(src)),
		Incarnation: raft.Incarnation(binary.LittleEndian.Uint64(src[8:])),
	}
	role := src[16]
	if n := len(c.Members); m.ID == raft.None || n > 0 && c.Members[n-1].ID >= m.ID {
		return nil, fmt.Errorf("configuration: member %d out of order: %w", m.ID, ErrMalformed)
	}
	if role == 0 || role > 7 {
		return nil, fmt.Errorf("configuration: member %d has roles %d: %w", m.ID, role, ErrMalformed)
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

func roles(c raft.Configuration, id raft.NodeID) (role byte) {
	for bit, set := range [][]raft.NodeID{c.Voters, c.Outgoing, c.Learners} {
		for _, member := range set {
			if member == id {
				role |= 1 << bit
			}
		}
	}
	return role
}

func appendShort(dst []byte, s string) []byte {
	s = s[:min(len(s), maxAddress)]
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}

func decodeShort(src []byte) (s string, rest []byte, err error) {
	if len(src) < 2 {
		return "", nil, fmt.Errorf("configuration: an address is cut off: %w", ErrMalformed)
	}
	length, src := int(binary.LittleEndian.Uint16(src)), src[2:]
	if length > maxAddress || length > len(src) {
		return "", nil, fmt.Errorf("configuration: an address of %d bytes in %d: %w", length, len(src), ErrMalformed)
	}
	return string(src[:length]), src[length:], nil
}

// ClusterID derives the id of a cluster from its name and its bootstrap configuration, so that nodes started with
// different peers refuse each other. The name may be empty.
func ClusterID(name string, bootstrap raft.Configuration) (id raft.ClusterID) {
	h := sha256.New()
	fmt.Fprintf(h, "balsa cluster 1\n%d\n%s\n", len(name), name)
	h.Write(AppendConfiguration(nil, bootstrap))
	copy(id[:], h.Sum(nil))
	return id
}
