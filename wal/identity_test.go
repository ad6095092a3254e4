package wal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"balsa/disk"
	"balsa/raft"
)

// joining is an identity of a server that joins the cluster of the others.
func joining() Identity {
	return Identity{Cluster: raft.ClusterID{1, 2, 3}, Node: 4, Incarnation: 0xdecade, Joins: true}
}

// TestTheFormsOfIdentities holds both versions to the letter: every later program must read them.
func TestTheFormsOfIdentities(t *testing.T) {
	small := identity()
	small.Bootstrap = raft.NewConfiguration(map[raft.NodeID]string{2: "b:2"})
	for what, c := range map[string]struct {
		id  Identity
		hex string
	}{
		"version 1": {small, "62616c736149444e" + "0100" + "0000" +
			"01020300000000000000000000000000" + "0200000000000000" + "cefaedfe00000000" + "1c000000" +
			"0100010002000000000000000000000000000000010300623a320000" + "828aeaf3"},
		"version 2": {joining(), "62616c736149444e" + "0200" + "0100" +
			"01020300000000000000000000000000" + "0400000000000000" + "decade0000000000" + "00000000" +
			"4291d5b4"},
	} {
		if got := hex.EncodeToString(c.id.encode()); got != c.hex {
			t.Errorf("%s is %s\nwant %s", what, got, c.hex)
		}
		raw, err := hex.DecodeString(c.hex)
		ok(t, err)
		if got, err := decodeIdentity(raw); err != nil || !reflect.DeepEqual(got, c.id) {
			t.Errorf("%s reads as %+v (%v)", what, got, err)
		}
	}
}

// TestFlagsThatNobodyHasMeantYet must be refused as of a later version, whatever else they come with.
func TestFlagsThatNobodyHasMeantYet(t *testing.T) {
	for _, c := range []struct {
		id             Identity
		version, flags byte
		zero           byte
		want           error
	}{
		{identity(), 1, flagJoins, 0, ErrVersion}, {joining(), 1, flagJoins, 0, ErrVersion},
		{joining(), 2, 0, 0, ErrVersion}, {joining(), 2, 2, 0, ErrVersion}, {joining(), 2, 3, 0, ErrVersion},
		{joining(), 2, flagJoins, 1, ErrVersion}, {joining(), 3, flagJoins, 0, ErrVersion},
		{joining(), 2, flagJoins, 0, nil}, {identity(), 1, 0, 0, nil},
	} {
		b := c.id.encode()
		b[8], b[10], b[11] = c.version, c.flags, c.zero
		if _, err := decodeIdentity(resign(b, len(b)-4)); !errors.Is(err, c.want) {
			t.Errorf("version %d with flags %d, %d: %v, want %v", c.version, c.flags, c.zero, err, c.want)
		}
	}
	b := identity().encode()
	b[8], b[10] = identityFlagged, flagJoins
	if _, err := decodeIdentity(resign(b, len(b)-4)); err == nil {
		t.Error("a server joins, and knows with whom its cluster was founded")
	}
}

// TestADirectoryThatJoins is opened by every later start of its node, whatever that names, but members.
func TestADirectoryThatJoins(t *testing.T) {
	m := disk.NewMemory()
	o := Options{Identity: joining(), SegmentBytes: MinSegmentBytes}
	l, r := mustBoot(t, m, o)
	if !r.First || !reflect.DeepEqual(r.Identity, joining()) {
		t.Errorf("founded %+v, first %v", r.Identity, r.First)
	}
	ok(t, l.Append(&raft.HardState{Term: 3}, []raft.Entry{entry(1, 1, 1)}))
	ok(t, l.Close())
	for what, c := range map[string]struct {
		want  Identity
		err   error
		words string
	}{
		"the same":    {joining(), nil, ""},
		"nothing":     {Identity{Node: 4}, nil, ""},
		"its cluster": {Identity{Node: 4, Cluster: joining().Cluster}, nil, ""},
		"another cluster": {Identity{Node: 4, Cluster: raft.ClusterID{7}, Joins: true}, ErrForeign,
			"cluster 07"},
		"another node": {Identity{Node: 2, Joins: true}, ErrForeign, "of node 4"},
		"members": {Identity{Node: 4, Cluster: joining().Cluster, Bootstrap: identity().Bootstrap},
			ErrForeign, "without naming them"},
	} {
		m.Kill()
		_, r, err := boot(m, Options{Identity: c.want, SegmentBytes: MinSegmentBytes})
		if !errors.Is(err, c.err) || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %v with %q", what, err, c.err, c.words)
		}
		if err == nil && (!r.Identity.Joins || len(r.Identity.Bootstrap.Members) > 0 || len(r.Entries) != 1) {
			t.Errorf("%s: %+v", what, held(r))
		}
	}
}

// TestACopyOfTheFirstVersionIsRenewedAsItWas: who goes back to an older program finds what it can read.
func TestACopyOfTheFirstVersionIsRenewedAsItWas(t *testing.T) {
	m := disk.NewMemory()
	mustBoot(t, m, small())
	before := m.Read(firstCopy)
	if before[8] != identityPlain {
		t.Fatalf("version %d", before[8])
	}
	m.Kill()
	m.Plant(firstCopy, before[:20])
	mustBoot(t, m, small())
	if after := m.Read(firstCopy); !bytes.Equal(after, before) {
		t.Errorf("was % x\nis  % x", before, after)
	}
}
