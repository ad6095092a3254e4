package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"

	"balsa/disk"
	"balsa/raft"
	"balsa/wire"
)

// Identity is what a data directory is bound to, from its first start on and for ever.
type Identity struct {
	Cluster     raft.ClusterID
	Node        raft.NodeID
	Incarnation raft.Incarnation // drawn at random when the directory is first used; never 0
	// Bootstrap is whom the cluster was founded with; it counts as the snapshot at index 0.
	Bootstrap raft.Configuration
	// Joins says that the server was founded to join a cluster of which it knows the id and nothing else:
	// Bootstrap is empty.
	Joins bool
}

// identityHeader is the number of bytes before the bootstrap configuration, identityLimit the most that a
// copy can have.
const (
	identityHeader = 48
	identityLimit  = 8 << 20
)

// The versions of the layout, and what the flags of the second may say. The first has none: it is written
// whenever it says all there is, so that a program from before the second still reads the directory.
const (
	identityPlain   = 1
	identityFlagged = 2

	flagJoins = 1
)

// encode makes the content of one copy. Both copies are the same.
//
//	 0        8         10      11     12        28     36            44       48
//	┌────────┬─────────┬───────┬──────┬─────────┬──────┬─────────────┬────────┬───────────────┬────────┐
//	│ magic  │ version │ flags │ zero │ cluster │ node │ incarnation │ length │ bootstrap     │ crc32c │
//	│ 8 B    │ u16     │ u8    │      │ 16 B    │ u64  │ u64         │ u32    │ length        │ u32    │
//	└────────┴─────────┴───────┴──────┴─────────┴──────┴─────────────┴────────┴───────────────┴────────┘
//	version    1: flags are 0   2: they are not
//	flags      1: the server joins; length is 0
//	bootstrap  as in wire.AppendConfiguration   crc32c  of all before it: the last 4 bytes in every version
func (id Identity) encode() []byte {
	version, flags, bootstrap := uint16(identityPlain), byte(0), []byte(nil)
	if id.Joins {
		version, flags = identityFlagged, flagJoins
	} else {
		bootstrap = wire.AppendConfiguration(nil, id.Bootstrap)
	}
	b := make([]byte, 0, identityHeader+len(bootstrap)+4)
	b = append(b, identityMagic...)
	b = binary.LittleEndian.AppendUint16(b, version)
	b = append(b, flags, 0)
	b = append(b, id.Cluster[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(id.Node))
	b = binary.LittleEndian.AppendUint64(b, uint64(id.Incarnation))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(bootstrap)))
	b = append(b, bootstrap...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeIdentity reads one copy. What it refuses is damage, or of a later version (ErrVersion).
func decodeIdentity(b []byte) (id Identity, err error) {
	if len(b) < identityHeader+4 || string(b[:8]) != identityMagic {
		return id, errors.New("this is not an identity")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return id, errors.New("the checksum is wrong")
	}
	if id.Joins, err = readFlags(b); err != nil {
		return id, err
	}
	copy(id.Cluster[:], b[12:])
	id.Node = raft.NodeID(binary.LittleEndian.Uint64(b[28:]))
	id.Incarnation = raft.Incarnation(binary.LittleEndian.Uint64(b[36:]))
	bootstrap := body[identityHeader:]
	if uint64(binary.LittleEndian.Uint32(b[44:])) != uint64(len(bootstrap)) {
		return id, fmt.Errorf("the bootstrap configuration has %d bytes", len(bootstrap))
	}
	rest := bootstrap
	if !id.Joins {
		if id.Bootstrap, rest, err = wire.DecodeConfiguration(bootstrap); err != nil {
			return id, err
		}
	}
	if len(rest) > 0 || id.complete() != nil {
		return id, errors.New("a part of it is missing")
	}
	return id, nil
}

// readFlags reads the flags of a copy as its version means them. What no version has meant so far is of a
// later one.
func readFlags(b []byte) (joins bool, err error) {
	switch v := binary.LittleEndian.Uint16(b[8:]); {
	case v == identityPlain && b[10] == 0 && b[11] == 0:
		return false, nil
	case v == identityFlagged && b[10] == flagJoins && b[11] == 0:
		return true, nil
	default:
		return false, fmt.Errorf("format version %d with flags %x, this program knows versions up to %d: %w",
			v, b[10:12], identityFlagged, ErrVersion)
	}
}

// complete reports what is missing for a first start.
func (id Identity) complete() error {
	switch {
	case id.Node == raft.None:
		return fmt.Errorf("%w: no node id was given", ErrNotInitialized)
	case id.Cluster == raft.ClusterID{}:
		return fmt.Errorf("%w: no cluster id was given", ErrNotInitialized)
	case id.Incarnation == 0:
		return fmt.Errorf("%w: no incarnation was drawn for it", ErrNotInitialized)
	case id.Joins && len(id.Bootstrap.Members) > 0:
		return fmt.Errorf("%w: a node founds a cluster with others or joins one; give the nodes of the "+
			"cluster, or the cluster to join", ErrNotInitialized)
	case id.Joins:
		return nil
	case len(id.Bootstrap.Voters) == 0:
		return fmt.Errorf("%w: no voters were given; name the nodes of the cluster", ErrNotInitialized)
	}
	if err := wire.CheckConfiguration(id.Bootstrap); err != nil {
		return fmt.Errorf("%w: the bootstrap configuration cannot be written: %w", ErrNotInitialized, err)
	}
	return nil
}

// expect compares what a directory is bound to with what the caller wants.
func (id Identity) expect(want Identity) error {
	if id.Node != want.Node {
		return fmt.Errorf("%w: it is of node %d, this is node %d; "+
			"start this node with its own directory, or with that id", ErrForeign, id.Node, want.Node)
	}
	if want.Joins && !id.Joins {
		return fmt.Errorf("%w: it was not founded to join a cluster, it knows its own; start this node "+
			"without the cluster to join, or with an empty directory", ErrForeign)
	}
	if id.Joins && len(want.Bootstrap.Members) > 0 {
		return fmt.Errorf("%w: it was founded to join a cluster, which tells it who the members are; start "+
			"this node without naming them, or with an empty directory", ErrForeign)
	}
	if want.Cluster != (raft.ClusterID{}) && id.Cluster != want.Cluster {
		return fmt.Errorf("%w: it is of cluster %v, this node was started for cluster %v; "+
			"start it with the cluster name and the peers of its first start, or with an empty directory",
			ErrForeign, id.Cluster, want.Cluster)
	}
	return nil
}

// identify reads both copies of the identity. found is false when neither is there. Notes those to be written
// anew: a copy that rotted, or that a crash of the first start left out, costs nothing while the other one is
// good.
func (r *recovery) identify(names []string) (found bool, err error) {
	var problems []error
	for _, name := range identityNames() {
		if !slices.Contains(names, name) {
			r.damaged = append(r.damaged, name)
			r.Copies = append(r.Copies, fmt.Errorf("%s: %w", name, fs.ErrNotExist))
			continue
		}
		got, problem := readIdentityCopy(r.dir, name)
		switch {
		case errors.Is(problem, ErrVersion):
			return false, problem
		case problem != nil:
			r.damaged, problems = append(r.damaged, name), append(problems, problem)
			r.Copies = append(r.Copies, problem)
		case found && string(got.encode()) != string(r.Identity.encode()):
			return false, damage(name, 0, "it differs from %s, and both are good", firstCopy)
		default:
			r.Identity, found = got, true
		}
	}
	if !found && len(problems) > 0 {
		return false, worst(problems)
	}
	if !found {
		r.Copies = nil
	}
	return found, nil
}

// worst chooses why there is no identity: a copy that could not be read may yet be good, so damage is the
// last word.
func worst(problems []error) error {
	for _, problem := range problems {
		if !errors.Is(problem, ErrCorrupt) {
			return problem
		}
	}
	return fmt.Errorf("no copy of the identity is good: %w", problems[0])
}

// readIdentityCopy reads one copy. Only what was read and is wrong is damage: a disk that does not answer
// may yet.
func readIdentityCopy(dir disk.Dir, name string) (Identity, error) {
	b, err := readFile(dir, name, identityLimit)
	if err != nil {
		return Identity{}, fmt.Errorf("read %s: %w", name, err)
	}
	id, err := decodeIdentity(b)
	if errors.Is(err, ErrVersion) {
		return id, fmt.Errorf("%s: %w", name, err)
	}
	if err != nil {
		return id, damage(name, 0, "%v", err)
	}
	return id, nil
}

// writeIdentity writes copies of the identity. Each appears whole under its name or not at all; their names
// are durable when the caller has synced the directory.
func writeIdentity(dir disk.Dir, id Identity, names []string) error {
	content := id.encode()
	for _, name := range names {
		if err := writeFile(dir, name, int64(len(content)), content); err != nil {
			return err
		}
	}
	return nil
}

// readFile reads a file of at most limit bytes.
func readFile(dir disk.Dir, name string, limit int64) (b []byte, err error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, damage(name, limit, "the file has %d bytes, no copy of an identity has", size)
	}
	b = make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	return b, nil
}

// writeFile makes a file of size bytes that begins with content, under a temporary name first: the name
// appears only when the content is durable. The caller syncs the directory.
func writeFile(dir disk.Dir, name string, size int64, content []byte) (err error) {
	f, err := dir.Create(name+temporarySuffix, size)
	if err != nil {
		return fmt.Errorf("create %s: %w", name+temporarySuffix, err)
	}
	if err = finishFile(f, content); err != nil {
		return fmt.Errorf("write %s: %w", name+temporarySuffix, err)
	}
	if err = dir.Rename(name+temporarySuffix, name); err != nil {
		return fmt.Errorf("rename %s: %w", name+temporarySuffix, err)
	}
	return nil
}

// finishFile writes the beginning of a file, syncs all of it, and closes it.
func finishFile(f disk.File, content []byte) error {
	_, err := f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
