package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"balsa/disk"
	"balsa/raft"
)

// Of the older snapshot a start reads only the two ends: it serves when the newer one is damaged, and then it
// is read wholly. To read both would take twice as long, and a node that starts can be of use to nobody
// meanwhile.

// readEnds reads the header and the trailer of a file, each of which has a sum of its own; whether they
// belong together, and what stands between, is not known then.
func readEnds(dir disk.Dir, name string, id raft.EntryID, want func(Info) error) (info Info, err error) {
	f, size, err := openFile(dir, name)
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	v := newVerifier(name, size, id, want)
	for v.at == 0 {
		due, err := v.due()
		if err != nil {
			return info, err
		}
		part, err := readPart(f, name, v.position(), min(int64(due-len(v.buf)), size-v.position()))
		if err != nil {
			return info, err
		}
		if err := v.feed(part); err != nil {
			return info, err
		}
	}
	tail, err := readPart(f, name, max(v.at, size-frame-maxTable), min(size-v.at, frame+maxTable))
	if err != nil {
		return info, err
	}
	if err := v.info.readTail(tail, size); err != nil {
		return info, damage(name, size-int64(len(tail)), "%v", err)
	}
	return v.info, nil
}

// readPart reads n bytes of a file.
func readPart(f disk.File, name string, at, n int64) ([]byte, error) {
	part := make([]byte, n)
	if m, err := f.ReadAt(part, at); m < len(part) {
		err = errors.Join(err, io.ErrUnexpectedEOF)
		return nil, fmt.Errorf("read %s at byte %d: %w", name, at+int64(m), err)
	}
	return part, nil
}

// readTail finds the trailer in the last bytes of a file: it is the piece whose length leads to the end and
// whose sum is right. What it says must be what a file of that size can hold.
func (i *Info) readTail(tail []byte, size int64) error {
	for n := len(tail) - frame - tableFixed; n >= 0; n-- {
		b, at := tail[n:], size-int64(len(tail)-n)
		if binary.LittleEndian.Uint32(b) != trailerMark|uint32(len(b)-frame) || !i.sealed(b, at) {
			continue
		}
		whole := int64(frame + i.ChunkBytes)
		chunks := (at - i.header + whole - 1) / whole
		if i.stream = at - i.header - chunks*frame; i.stream <= (chunks-1)*int64(i.ChunkBytes) && chunks > 0 {
			return errors.New("the last chunk is empty")
		}
		if err := i.decodeTable(b[frame:]); err != nil {
			return err
		}
		if i.Size != size {
			return fmt.Errorf("the file has %d bytes and should have %d", size, i.Size)
		}
		return nil
	}
	return errors.New("there is no trailer")
}
