package raft

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The binary form of a configuration. It stands here and not with the other formats because the core reads
// it: an entry of kind ConfigurationChange carries one, and what it says is in force from the moment at which
// the entry is in the log.

// The limits of a configuration: far above any cluster that makes sense, far below what could hurt.
const (
	MaxMembers = 1024 // servers in one configuration
	MaxAddress = 1024 // bytes of one address
)

const configurationVersion = 1

// The flags of a configuration's binary form.
const (
	flagAutoPromote = 1
	flagGates       = 2 // version and lease drift follow: at least one of them is not 0
	flagLeaseTime   = 4 // the lease time follows: it is positive
)

// The roles of a member in the binary form, as bits.
const (
	roleVoter    = 1
	roleOutgoing = 2
	roleLearner  = 4
	flagStart    = 8 // no role: the member's start follows, which is not 0
)

// Check reports why a configuration has no binary form: members out of order, without an id or without a
// role, a role without its member, a learner that votes, too many members, an address too long, a lease time
// below 0. The error is a sentence about that; what comes from a person is checked with it before it is
// encoded. An empty configuration has a form.
func (c Configuration) Check() error {
	if len(c.Members) > MaxMembers {
		return fmt.Errorf("%d members, at most %d", len(c.Members), MaxMembers)
	}
	last := None
	for _, m := range c.Members {
		if m.ID <= last {
			return fmt.Errorf("member %d comes after member %d: ids are positive and ascending", m.ID, last)
		}
		if n := max(len(m.Address), len(m.API)); n > MaxAddress {
			return fmt.Errorf("member %d has an address of %d bytes, at most %d", m.ID, n, MaxAddress)
		}
		switch roles := c.roles(m.ID); {
		case roles == 0:
			return fmt.Errorf("member %d is neither voter nor learner", m.ID)
		case roles&roleVoter != 0 && roles&roleLearner != 0:
			return fmt.Errorf("member %d is both voter and learner", m.ID)
		}
		last = m.ID
	}
	if c.LeaseTime < 0 {
		return fmt.Errorf("a lease time of %d ns, which is no length", c.LeaseTime)
	}
	return c.checkRoles()
}

// checkRoles refuses a set that its bits in the members could not give back.
func (c Configuration) checkRoles() error {
	for _, set := range [][]NodeID{c.Voters, c.Outgoing, c.Learners} {
		last := None
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

// roles returns one bit for each set that names the server.
func (c Configuration) roles(id NodeID) (roles byte) {
	for bit, set := range [][]NodeID{c.Voters, c.Outgoing, c.Learners} {
		if slices.Contains(set, id) {
			roles |= 1 << bit
		}
	}
	return roles
}

// AppendTo appends the binary form of a configuration, little-endian, ids in order. It panics when Check
// objects: a voter or the end of an address that went missing silently would split the cluster.
//
//	┌─────────┬───────┬───────┬──────────────────────────┬────────────────┬────────────────┐
//	│ version │ flags │ count │ gates, if flagged        │ if flagged     │ count × member │
//	│ u8 = 1  │ u8    │ u16   │ version u32 │ drift u32  │ lease time u64 │                │
//	└─────────┴───────┴───────┴──────────────────────────┴────────────────┴────────────────┘
//	flags   1 auto-promote, 2 gates: cluster version and lease drift (ppm) follow, 4 lease time (ns)
//	        follows; unset when all of it is 0, so that a server from before can read what does not need it
//	member  ┌────────┬─────────────┬───────┬────────┬─────────┬────────┬─────────┬────────────┐
//	        │ id u64 │ incarn. u64 │ roles │ length │ address │ length │ API     │ if flagged │
//	        │        │             │ u8    │ u16    │         │ u16    │ address │ start u64  │
//	        └────────┴─────────────┴───────┴────────┴─────────┴────────┴─────────┴────────────┘
//	roles   1 voter, 2 outgoing voter, 4 learner; and the flag 8: its start follows, unset when it is 0
func (c Configuration) AppendTo(dst []byte) []byte {
	err := c.Check()
	assert(err == nil, "a configuration was encoded that has no binary form")
	flags := byte(0)
	if c.AutoPromote {
		flags |= flagAutoPromote
	}
	gates := c.Version != 0 || c.LeaseDrift != 0
	if gates {
		flags |= flagGates
	}
	if c.LeaseTime != 0 {
		flags |= flagLeaseTime
	}
	le := binary.LittleEndian
	dst = le.AppendUint16(append(dst, configurationVersion, flags), uint16(len(c.Members)))
	if gates {
		dst = le.AppendUint32(le.AppendUint32(dst, c.Version), c.LeaseDrift)
	}
	if c.LeaseTime != 0 {
		dst = le.AppendUint64(dst, uint64(c.LeaseTime))
	}
	for _, m := range c.Members {
		dst = le.AppendUint64(le.AppendUint64(dst, uint64(m.ID)), uint64(m.Incarnation))
		roles := c.roles(m.ID)
		if m.Start != 0 {
			roles |= flagStart
		}
		dst = append(dst, roles)
		for _, address := range []string{m.Address, m.API} {
			dst = append(le.AppendUint16(dst, uint16(len(address))), address...)
		}
		if m.Start != 0 {
			dst = le.AppendUint64(dst, m.Start)
		}
	}
	return dst
}

// DecodeConfiguration reads a configuration from the front of src and returns what follows it. Nothing has
// two forms: what it takes, AppendTo makes again, byte for byte. The error is a sentence about what no server
// can have written.
func DecodeConfiguration(src []byte) (c Configuration, rest []byte, err error) {
	if len(src) < 4 || src[0] != configurationVersion || src[1] > flagAutoPromote|flagGates|flagLeaseTime {
		return c, nil, fmt.Errorf("configuration: not of version %d", configurationVersion)
	}
	flags, count, src := src[1], int(binary.LittleEndian.Uint16(src[2:])), src[4:]
	if count > MaxMembers {
		return c, nil, fmt.Errorf("configuration: %d members, at most %d", count, MaxMembers)
	}
	c.AutoPromote = flags&flagAutoPromote != 0
	if flags&flagGates != 0 {
		if len(src) < 8 {
			return Configuration{}, nil, fmt.Errorf("configuration: the gates are cut off")
		}
		c.Version, c.LeaseDrift = binary.LittleEndian.Uint32(src), binary.LittleEndian.Uint32(src[4:])
		if src = src[8:]; c.Version == 0 && c.LeaseDrift == 0 {
			return Configuration{}, nil, fmt.Errorf("configuration: gates that are all 0")
		}
	}
	if flags&flagLeaseTime != 0 {
		if len(src) < 8 {
			return Configuration{}, nil, fmt.Errorf("configuration: the lease time is cut off")
		}
		c.LeaseTime = Time(binary.LittleEndian.Uint64(src))
		if src = src[8:]; c.LeaseTime <= 0 {
			return Configuration{}, nil, fmt.Errorf("configuration: a lease time of %d ns", c.LeaseTime)
		}
	}
	for range count {
		if src, err = c.decodeMember(src); err != nil {
			return Configuration{}, nil, err
		}
	}
	return c, src, nil
}

func (c *Configuration) decodeMember(src []byte) (rest []byte, err error) {
	if len(src) < 17 {
		return nil, fmt.Errorf("configuration: a member is cut off")
	}
	m := Member{
		ID:          NodeID(binary.LittleEndian.Uint64(src)),
		Incarnation: Incarnation(binary.LittleEndian.Uint64(src[8:])),
	}
	roles, started := src[16]&^flagStart, src[16]&flagStart != 0
	if n := len(c.Members); m.ID == None || n > 0 && c.Members[n-1].ID >= m.ID {
		return nil, fmt.Errorf("configuration: member %d out of order", m.ID)
	}
	if roles == 0 || roles > 7 || roles&roleVoter != 0 && roles&roleLearner != 0 {
		return nil, fmt.Errorf("configuration: member %d has roles %d", m.ID, roles)
	}
	if m.Address, src, err = decodeAddress(src[17:]); err != nil {
		return nil, err
	}
	if m.API, src, err = decodeAddress(src); err != nil {
		return nil, err
	}
	if started {
		if m.Start, src, err = decodeStart(src); err != nil {
			return nil, err
		}
	}
	c.Members = append(c.Members, m)
	for bit, set := range []*[]NodeID{&c.Voters, &c.Outgoing, &c.Learners} {
		if roles&(1<<bit) != 0 {
			*set = append(*set, m.ID)
		}
	}
	return src, nil
}

func decodeStart(src []byte) (start uint64, rest []byte, err error) {
	if len(src) < 8 {
		return 0, nil, fmt.Errorf("configuration: a start number is cut off")
	}
	if start = binary.LittleEndian.Uint64(src); start == 0 {
		return 0, nil, fmt.Errorf("configuration: a start number of 0")
	}
	return start, src[8:], nil
}

func decodeAddress(src []byte) (address string, rest []byte, err error) {
	if len(src) < 2 {
		return "", nil, fmt.Errorf("configuration: an address is cut off")
	}
	length, src := int(binary.LittleEndian.Uint16(src)), src[2:]
	if length > MaxAddress || length > len(src) {
		return "", nil, fmt.Errorf("configuration: an address of %d bytes in %d", length, len(src))
	}
	return string(src[:length]), src[length:], nil
}

// carried reads the configurations that entries carry. An error names an entry of which a server cannot carry
// out what its kind asks for.
func carried(entries []Entry) (all []placed, err error) {
	for _, e := range entries {
		if e.Kind != ConfigurationChange {
			continue
		}
		c, err := entryConfiguration(e)
		if err != nil {
			return nil, fmt.Errorf("entry %v: %w", e.ID(), err)
		}
		all = append(all, placed{c, e.Index})
	}
	return all, nil
}

// behind returns those of the configurations whose entries come behind an index.
func behind(index Index, all []placed) []placed {
	at := slices.IndexFunc(all, func(p placed) bool { return p.index > index })
	if at < 0 {
		return nil
	}
	return all[at:]
}

// entryConfiguration reads the configuration that an entry carries, which must be one that servers can act
// on.
func entryConfiguration(e Entry) (Configuration, error) {
	c, rest, err := DecodeConfiguration(e.Command)
	switch {
	case err != nil:
		return Configuration{}, err
	case len(rest) > 0:
		return Configuration{}, fmt.Errorf("configuration: %d bytes too many", len(rest))
	}
	return c, c.validate()
}
