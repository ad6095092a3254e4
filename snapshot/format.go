package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/crc64"

	"balsa/raft"
)

// The limits of a snapshot: what claims to exceed them is damaged, and costs no memory.
const (
	MaxConfiguration = 4 << 20 // bytes of the configuration
	MaxSections      = 64      // sections in a snapshot
	MaxName          = 64      // bytes of the name of a section or of a codec
	MinChunkBytes    = 16      // bytes of data in a full chunk; so few are for tests
	MaxChunkBytes    = 1 << 20
	// DefaultChunkBytes is what Options.ChunkBytes 0 means.
	DefaultChunkBytes = 256 << 10
)

const (
	magic         = "balsasnp"
	formatVersion = 1
	headerLead    = 16 // bytes of the header up to and with its length
	headerFixed   = 76
	frame         = 8 // bytes before the data of a chunk and before the table of the trailer
	trailerMark   = 1 << 31
	tableFixed    = 18
	maxTable      = tableFixed + MaxSections*(17+MaxName)
	maxHeader     = headerFixed + MaxName + MaxConfiguration + 4
	minFile       = headerFixed + 1 + 4 + frame + tableFixed
	maxFile       = 1 << 50
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// whole carries the sum of the whole file on.
func whole(sum uint64, b []byte) uint64 { return crc64.Update(sum, crc64.MakeTable(crc64.ECMA), b) }

// Meta says what a snapshot includes.
type Meta struct {
	Last raft.EntryID // the last entry that it includes; its index is positive
	Time raft.Time    // log time of that entry
	// Configuration is the one in force at that entry, with its members' incarnations, in the binary form
	// of the log's configuration entries. It is kept as it is.
	Configuration []byte
	// ConfigurationIndex is the index of the entry that brought it; 0 for the bootstrap configuration.
	ConfigurationIndex raft.Index
}

// check reports why there is no snapshot of this kind.
func (m Meta) check() error {
	switch {
	case m.Last.Index == 0:
		return errors.New("index 0: the bootstrap configuration is the snapshot at index 0, and no file")
	case m.Last.Term == 0:
		return fmt.Errorf("index %d in term 0", m.Last.Index)
	case m.ConfigurationIndex > m.Last.Index:
		return fmt.Errorf("the configuration of entry %d in a snapshot up to entry %d",
			m.ConfigurationIndex, m.Last.Index)
	case len(m.Configuration) > MaxConfiguration:
		return fmt.Errorf("a configuration of %d bytes, at most %d", len(m.Configuration), MaxConfiguration)
	}
	return nil
}

// Section is one part of a snapshot's content.
type Section struct {
	Name string // as its writer gave it
	Size int64  // bytes, as they were written

	stored int64 // bytes in the chunks, after the codec
}

// Info is what is known of a snapshot that is kept. It is shared: nobody may write to its slices.
type Info struct {
	Meta
	Cluster    raft.ClusterID
	Codec      string // its name
	ChunkBytes int    // bytes of data in a full chunk
	Sections   []Section
	Size       int64  // bytes of the file: what is sent to another server
	Checksum   uint64 // CRC-64 of everything before the trailer

	header int64  // bytes of it
	sum    uint32 // of the header
	stream int64  // bytes of data in all chunks
}

// encodeHeader makes the header and notes its length and sum.
func (i *Info) encodeHeader() []byte {
	le := binary.LittleEndian
	i.header = int64(headerFixed + len(i.Codec) + len(i.Configuration) + 4)
	b := make([]byte, 0, i.header)
	b = append(b, magic...)
	b = le.AppendUint16(b, formatVersion)
	b = append(b, 0, 0)
	b = le.AppendUint32(b, uint32(i.header))
	b = append(b, i.Cluster[:]...)
	b = le.AppendUint64(b, uint64(i.Last.Term))
	b = le.AppendUint64(b, uint64(i.Last.Index))
	b = le.AppendUint64(b, uint64(i.Time))
	b = le.AppendUint64(b, uint64(i.ConfigurationIndex))
	b = le.AppendUint32(b, uint32(i.ChunkBytes))
	b = le.AppendUint32(b, uint32(len(i.Configuration)))
	b = le.AppendUint32(b, uint32(len(i.Codec)))
	b = append(b, i.Codec...)
	b = append(b, i.Configuration...)
	i.sum = crc32.Checksum(b, castagnoli)
	return le.AppendUint32(b, i.sum)
}

// headerLength reads how long a header is from its first bytes.
func headerLength(lead []byte) (int, error) {
	if string(lead[:len(magic)]) != magic {
		return 0, errors.New("this is not a snapshot")
	}
	n := binary.LittleEndian.Uint32(lead[12:])
	if n <= headerFixed || n > maxHeader {
		return 0, fmt.Errorf("a header of %d bytes", n)
	}
	return int(n), nil
}

// decodeHeader reads a whole header. What it refuses is damage, or of a later version (ErrVersion).
func decodeHeader(b []byte) (i Info, err error) {
	le := binary.LittleEndian
	body := b[:len(b)-4]
	i.header, i.sum = int64(len(b)), crc32.Checksum(body, castagnoli)
	if le.Uint32(b[len(body):]) != i.sum {
		return i, errors.New("the checksum of the header is wrong")
	}
	if v := le.Uint16(b[8:]); v != formatVersion || b[10]|b[11] != 0 {
		return i, fmt.Errorf("format version %d, this program knows %d: %w", v, formatVersion, ErrVersion)
	}
	copy(i.Cluster[:], b[16:])
	i.Last = raft.EntryID{Term: raft.Term(le.Uint64(b[32:])), Index: raft.Index(le.Uint64(b[40:]))}
	i.Time = raft.Time(le.Uint64(b[48:]))
	i.ConfigurationIndex = raft.Index(le.Uint64(b[56:]))
	chunk, configuration, codec := le.Uint32(b[64:]), le.Uint32(b[68:]), le.Uint32(b[72:])
	if chunk < MinChunkBytes || chunk > MaxChunkBytes {
		return i, fmt.Errorf("chunks of %d bytes", chunk)
	}
	parts := uint64(headerFixed) + uint64(codec) + uint64(configuration)
	if codec == 0 || codec > MaxName || parts != uint64(len(body)) {
		return i, errors.New("the parts of the header do not add up")
	}
	i.ChunkBytes = int(chunk)
	i.Codec = string(body[headerFixed : headerFixed+codec])
	i.Configuration = append([]byte(nil), body[headerFixed+codec:]...)
	return i, i.check()
}

// seal fills in the frame of a chunk or trailer that will stand at offset at; word is its length, for a
// trailer with its mark.
func (i *Info) seal(b []byte, at int64, word uint32) {
	binary.LittleEndian.PutUint32(b, word)
	binary.LittleEndian.PutUint32(b[4:], i.pieceSum(b, at))
}

// sealed reports whether the sum of a chunk or trailer is right for offset at.
func (i *Info) sealed(b []byte, at int64) bool {
	return binary.LittleEndian.Uint32(b[4:]) == i.pieceSum(b, at)
}

func (i *Info) pieceSum(b []byte, at int64) uint32 {
	var seed [16]byte
	binary.LittleEndian.PutUint32(seed[:], i.sum)
	binary.LittleEndian.PutUint64(seed[4:], uint64(at))
	copy(seed[12:], b[:4])
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, b[frame:])
}

// encodeTrailer makes the trailer, which will stand at offset at, and notes the size of the file.
func (i *Info) encodeTrailer(at int64) []byte {
	le := binary.LittleEndian
	b := make([]byte, frame+tableFixed, frame+maxTable)
	le.PutUint64(b[frame+8:], i.Checksum)
	le.PutUint16(b[frame+16:], uint16(len(i.Sections)))
	for _, s := range i.Sections {
		b = le.AppendUint64(b, uint64(s.Size))
		b = le.AppendUint64(b, uint64(s.stored))
		b = append(append(b, byte(len(s.Name))), s.Name...)
	}
	i.Size = at + int64(len(b))
	le.PutUint64(b[frame:], uint64(i.Size))
	i.seal(b, at, trailerMark|uint32(len(b)-frame))
	return b
}

// decodeTable reads the table of a trailer whose sum is right: what is wrong in it is a bug of whoever
// wrote it, or of a hostile sender.
func (i *Info) decodeTable(b []byte) error {
	le := binary.LittleEndian
	if len(b) < tableFixed {
		return errors.New("the trailer is cut off")
	}
	i.Size, i.Checksum = int64(le.Uint64(b)), le.Uint64(b[8:])
	count, b := int(le.Uint16(b[16:])), b[tableFixed:]
	left := i.stream
	for range count {
		if len(b) < 17 || len(b) < 17+int(b[16]) {
			return errors.New("a section is cut off")
		}
		s := Section{Size: int64(le.Uint64(b)), stored: int64(le.Uint64(b[8:]))}
		s.Name, b = string(b[17:17+int(b[16])]), b[17+int(b[16]):]
		if err := i.checkName(s.Name); err != nil {
			return err
		}
		if s.Size < 0 || s.stored < 0 || s.stored > left {
			return fmt.Errorf("section %q does not fit into the file", s.Name)
		}
		left -= s.stored
		i.Sections = append(i.Sections, s)
	}
	if left != 0 || len(b) > 0 {
		return errors.New("the sections do not add up to the file")
	}
	return nil
}

// checkName reports why there can be no further section of that name.
func (i *Info) checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("a section's name has 1 to %d bytes, not %d", MaxName, len(name))
	}
	if len(i.Sections) == MaxSections {
		return fmt.Errorf("more than %d sections", MaxSections)
	}
	for _, s := range i.Sections {
		if s.Name == name {
			return fmt.Errorf("two sections %q", name)
		}
	}
	return nil
}
