package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// verifier checks the bytes of a snapshot as they come, from the first to the last: those of a file that is
// read, and those that arrive from another server. It holds the header, a chunk or the trailer, whichever
// it is in the middle of, and takes memory only for bytes that it was given.
type verifier struct {
	name string           // for its errors
	size int64            // of the whole file
	want func(Info) error // judges the header as soon as it is there

	info  Info
	at    int64  // where the piece in buf begins: everything before it was verified
	buf   []byte // what is there of that piece
	whole uint64 // sum of everything before at
	ended bool   // a chunk that is not full has been seen: only the trailer may follow
	done  bool   // the trailer was verified
}

// feed takes the bytes that follow. After an error the verifier is of no use, but that at is still right.
func (v *verifier) feed(p []byte) error {
	for len(p) > 0 {
		due, err := v.due()
		if err != nil {
			return err
		}
		n := min(due-len(v.buf), len(p))
		v.buf, p = append(v.buf, p[:n]...), p[n:]
		if due, err = v.due(); err != nil {
			return err
		}
		if len(v.buf) == due {
			if err := v.complete(); err != nil {
				return err
			}
		}
	}
	return nil
}

// due is the length of the piece in buf as far as it is known: first of what says the length, then of all.
func (v *verifier) due() (n int, err error) {
	switch {
	case v.done:
		return 0, damage(v.name, v.at, "something stands behind the trailer")
	case v.at == 0 && len(v.buf) < headerLead:
		n = headerLead
	case v.at == 0:
		n, err = headerLength(v.buf)
	case len(v.buf) < frame:
		n = frame
	default:
		n, err = v.pieceLength(binary.LittleEndian.Uint32(v.buf))
	}
	if err == nil && int64(n) > v.size-v.at {
		err = fmt.Errorf("it does not fit into a file of %d bytes", v.size)
	}
	if err != nil {
		err = damage(v.name, v.at, "%v", err)
	}
	return n, err
}

func (v *verifier) pieceLength(word uint32) (int, error) {
	if n := word &^ trailerMark; word != n {
		if n > maxTable {
			return 0, fmt.Errorf("a trailer of %d bytes", n)
		}
		return frame + int(n), nil
	}
	if word == 0 || word > uint32(v.info.ChunkBytes) {
		return 0, fmt.Errorf("a chunk of %d bytes, at most %d", word, v.info.ChunkBytes)
	}
	if v.ended {
		return 0, errors.New("a chunk behind one that is not full")
	}
	return frame + int(word), nil
}

// complete verifies the piece in buf, which is whole.
func (v *verifier) complete() error {
	switch {
	case v.at == 0:
		info, err := decodeHeader(v.buf)
		if errors.Is(err, ErrVersion) {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		if err != nil {
			return damage(v.name, 0, "%v", err)
		}
		if err := v.want(info); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		v.info = info
	case !v.info.sealed(v.buf, v.at):
		return damage(v.name, v.at, "the checksum of a chunk is wrong, or it belongs elsewhere")
	case binary.LittleEndian.Uint32(v.buf)&trailerMark != 0:
		return v.trailer()
	default:
		v.info.stream += int64(len(v.buf) - frame)
		v.ended = len(v.buf)-frame < v.info.ChunkBytes
	}
	v.whole = whole(v.whole, v.buf)
	v.next()
	return nil
}

func (v *verifier) trailer() error {
	info := v.info
	if err := info.decodeTable(v.buf[frame:]); err != nil {
		return damage(v.name, v.at, "%v", err)
	}
	if info.Size != v.size || info.Size != v.at+int64(len(v.buf)) {
		return damage(v.name, v.at, "the file has %d bytes and should have %d", v.size, info.Size)
	}
	if info.Checksum != v.whole {
		return damage(v.name, v.at, "every chunk is good, and the checksum of the whole is wrong: "+
			"they belong to different snapshots")
	}
	v.info, v.done = info, true
	v.next()
	return nil
}

func (v *verifier) next() { v.at, v.buf = v.at+int64(len(v.buf)), v.buf[:0] }

// position is how many bytes the verifier has taken.
func (v *verifier) position() int64 { return v.at + int64(len(v.buf)) }
