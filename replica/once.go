package replica

import (
	"encoding/binary"
	"fmt"

	"balsa/raft"
)

// Once says how a proposal is kept from being applied twice. The zero value does not.
type Once struct {
	What    OnceKind
	Session raft.Index // CloseSession, InSession: as the Answer to OpenSession named it, Entry.Index
	Number  uint64     // InSession: from 1 on; each command of a session has its own
	Key     string     // UnderKey: 1 to MaxKey bytes
	// TTL is for OpenSession and UnderKey: how long it lasts unused, in ns of log time; positive. A new
	// leader whose clock is an hour ahead takes log time with it, and ends at once what has less than an hour
	// left.
	TTL raft.Time
}

// OnceKind is what a proposal is to the sessions. The numbers are part of the format of entries.
type OnceKind uint8

// The kinds.
const (
	// Plain: the command is appended as it is. Proposed again it is applied again.
	Plain OnceKind = 0
	// OpenSession opens a session. There is no command.
	OpenSession OnceKind = 1
	// CloseSession ends one: SessionGone if there is none. There is no command.
	CloseSession OnceKind = 2
	// InSession applies the command unless the session has applied its number already; KeyReused if that was
	// another command.
	InSession OnceKind = 3
	// UnderKey applies the command unless one was applied under this key, and the key is still remembered;
	// KeyReused if that was another command, TooManyKeys if there is no room for a new key.
	UnderKey OnceKind = 4
	// passTime carries nothing but its log time: what is due by then ends.
	passTime OnceKind = 5
)

// Check says what is wrong with it, nil if nothing is. Whoever proposes checks first: a Replica panics with
// a raft.Violation when it is given anything else.
func (o Once) Check() error {
	numbered := o.What == InSession
	named := numbered || o.What == CloseSession
	lasting := o.What == OpenSession || o.What == UnderKey
	switch {
	case o.What > UnderKey:
		return fmt.Errorf("replica: a proposal of the unknown kind %d", o.What)
	case (o.Session != 0) != named, (o.Number != 0) != numbered, (o.Key != "") != (o.What == UnderKey):
		return fmt.Errorf("replica: a proposal with a session, number or key too many or too few: %+v", o)
	case len(o.Key) > MaxKey:
		return fmt.Errorf("replica: a key of %d bytes, at most %d", len(o.Key), MaxKey)
	case lasting && o.TTL <= 0, !lasting && o.TTL != 0:
		return fmt.Errorf("replica: a session or key that lasts %d ns", o.TTL)
	}
	return nil
}

// The command of an entry of kind raft.Session, little-endian:
//
//	 0         1        2
//	┌─────────┬────────┬──────────────────────────────────┐
//	│ version │ kind   │ what the kind needs              │
//	│ u8 = 1  │ u8     │                                  │
//	└─────────┴────────┴──────────────────────────────────┘
//
//	OpenSession   ttl i64
//	CloseSession  session u64
//	InSession     session u64, number u64, command
//	UnderKey      ttl i64, length of the key u8, key, command
//	passTime      nothing
const onceVersion = 1

// encode returns the kind and the command of the entry that carries a proposal out.
func (o Once) encode(command []byte) (raft.Kind, []byte) {
	if o.What == Plain {
		return raft.Normal, command
	}
	b := make([]byte, 0, 32+len(o.Key)+len(command))
	b = append(b, onceVersion, byte(o.What))
	switch o.What {
	case OpenSession:
		return raft.Session, binary.LittleEndian.AppendUint64(b, uint64(o.TTL))
	case CloseSession:
		return raft.Session, binary.LittleEndian.AppendUint64(b, uint64(o.Session))
	case InSession:
		b = binary.LittleEndian.AppendUint64(b, uint64(o.Session))
		b = binary.LittleEndian.AppendUint64(b, o.Number)
	case UnderKey:
		b = binary.LittleEndian.AppendUint64(b, uint64(o.TTL))
		b = append(append(b, byte(len(o.Key))), o.Key...)
	}
	return raft.Session, append(b, command...)
}

// decodeOnce reads the command of an entry of kind raft.Session. What a later version has written is an
// error, and so is what none would.
func decodeOnce(b []byte) (o Once, command []byte, err error) {
	c := fields{rest: b}
	if version := c.u8(); version != onceVersion {
		return Once{}, nil, fmt.Errorf("version %d of the entries of sessions", version)
	}
	switch o.What = OnceKind(c.u8()); o.What {
	case OpenSession:
		o.TTL = raft.Time(c.u64())
	case CloseSession:
		o.Session = raft.Index(c.u64())
	case InSession:
		o.Session, o.Number, command = raft.Index(c.u64()), c.u64(), c.all()
	case UnderKey:
		o.TTL = raft.Time(c.u64())
		o.Key, command = string(c.take(int(c.u8()))), c.all()
	case passTime:
		return o, nil, c.finish()
	default:
		return Once{}, nil, fmt.Errorf("kind %d of the entries of sessions", o.What)
	}
	if err = c.finish(); err == nil {
		err = o.Check()
	}
	return o, command, err
}

// fields takes fields off the front of a piece of bytes. After the first one that is cut off every field is
// zero, and finish says so.
type fields struct {
	rest []byte
	cut  bool
}

func (c *fields) take(n int) []byte {
	if c.cut || n > len(c.rest) {
		c.cut = true
		return nil
	}
	field := c.rest[:n:n]
	c.rest = c.rest[n:]
	return field
}

func (c *fields) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *fields) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *fields) all() []byte { return c.take(len(c.rest)) }

func (c *fields) finish() error {
	if c.cut || len(c.rest) > 0 {
		return fmt.Errorf("an entry of sessions that is cut off, or too long by %d bytes", len(c.rest))
	}
	return nil
}
