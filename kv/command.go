package kv

import "encoding/binary"

// The limits of a key and of a value, in bytes. They are checked before a command is appended, and again
// when it is applied: an entry may have been written by hand.
const (
	MaxKey   = 4096
	MaxValue = 1 << 20
)

// MaxCommand is the length of the longest command within the limits, in bytes.
const MaxCommand = commandHeader + amountLength + MaxKey + MaxValue

// Operation says what a command does. The numbers are part of the format.
type Operation uint8

// The operations of this version.
const (
	OpPut       Operation = 1
	OpDelete    Operation = 2
	OpIncrement Operation = 5
	OpPutTTL    Operation = 11
)

// The operations that are reserved: this version refuses them, and nothing else may take their numbers.
const (
	opCompareAndSet Operation = 3
	opTransaction   Operation = 4
	opExpire        Operation = 6
	opGrantLease    Operation = 7
	opKeepLease     Operation = 8
	opRevokeLease   Operation = 9
	opDeleteRange   Operation = 10
)

// String names the operation.
func (o Operation) String() string {
	names := [...]string{
		0: "none", OpPut: "put", OpDelete: "delete", opCompareAndSet: "compare-and-set",
		opTransaction: "transaction", OpIncrement: "increment", opExpire: "expire",
		opGrantLease: "grant-lease", opKeepLease: "keep-lease", opRevokeLease: "revoke-lease",
		opDeleteRange: "delete-range", OpPutTTL: "put-ttl",
	}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}

// command is a decoded command. Its slices share the memory of the bytes it was decoded from.
type command struct {
	operation  Operation
	key, value []byte
	amount     int64 // OpIncrement: what to add; OpPutTTL: the time to live, in nanoseconds
}

const (
	commandVersion = 1
	commandHeader  = 8
	amountLength   = 8    // of the operations that have an amount
	firstText      = 0x20 // a command that begins below this is binary, and that byte is its version
)

// Put encodes the command that stores a value under a key, for good: a time to live that the key had is
// taken away. Whoever has not checked both with CheckKey and CheckValue may get a command that every node
// will refuse.
//
//	 0       1       2        4            8
//	┌───────┬───────┬────────┬────────────┬────────┬─────┬───────┐
//	│ version operat. zero ×2│ key length │ amount │ key │ value │   little-endian; the value takes the rest
//	│ u8 = 1│ u8    │        │ u32        │ i64    │     │       │
//	└───────┴───────┴────────┴────────────┴────────┴─────┴───────┘
//
// Only Increment and PutTTL have an amount, and Put and PutTTL a value. The text form, which Apply takes as
// well, begins with a printable character and so with another byte.
func Put(key string, value []byte) []byte {
	return append(encodeCommand(command{operation: OpPut}, key, len(value)), value...)
}

// PutTTL encodes a Put whose key goes away by itself: with the first entry whose log time is at least ttl
// nanoseconds after that of this one. The ttl must be above zero; one that ends beyond the last time there
// is ends there. Log time follows the wall clock of the leader, and never goes back: a new leader whose clock
// is an hour ahead ends at once whatever has less than an hour left.
func PutTTL(key string, value []byte, ttl int64) []byte {
	return append(encodeCommand(command{operation: OpPutTTL, amount: ttl}, key, len(value)), value...)
}

// Delete encodes the command that removes a key: the layout of Put, without a value.
func Delete(key string) []byte { return encodeCommand(command{operation: OpDelete}, key, 0) }

// Increment encodes the command that adds to the number under a key. The number is the decimal text of an
// int64, as Increment writes it: no plus sign, no zero in front. A key that is not there counts as 0. When
// the key goes away by itself stays as it was.
func Increment(key string, by int64) []byte {
	return encodeCommand(command{operation: OpIncrement, amount: by}, key, 0)
}

func encodeCommand(c command, key string, more int) []byte {
	b := make([]byte, 0, commandHeader+amountLength+len(key)+more)
	b = append(b, commandVersion, byte(c.operation), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(key)))
	if c.operation.hasAmount() {
		b = binary.LittleEndian.AppendUint64(b, uint64(c.amount))
	}
	return append(b, key...)
}

func (o Operation) hasAmount() bool { return o == OpIncrement || o == OpPutTTL }
func (o Operation) hasValue() bool  { return o == OpPut || o == OpPutTTL }

// CheckKey returns nil if the key may be used, else EmptyKey or KeyTooLong. Keys are any bytes.
func CheckKey(key string) error { return asError(checkKey(len(key))) }

// CheckValue returns nil if the value may be stored, else ValueTooLong. Values are any bytes, or none.
func CheckValue(value []byte) error { return asError(checkValue(len(value))) }

// Validate returns nil if Apply would perform the command, else the Refusal with which it would answer. It
// looks at the command alone, not at any state: whether there is a number to increment shows only then.
func Validate(command []byte) error {
	_, refusal := decode(command)
	return asError(refusal)
}

// asError keeps "no refusal" from becoming an error that is not nil.
func asError(r Refusal) error {
	if r == 0 {
		return nil
	}
	return r
}

// decode reads a command of either form, limits included. With a refusal, nothing of the command may be
// used but its operation.
func decode(b []byte) (command, Refusal) {
	if len(b) == 0 {
		return command{}, EmptyCommand
	}
	c, refusal := decodeForm(b)
	if refusal == 0 {
		refusal = checkKey(len(c.key))
	}
	if refusal == 0 {
		refusal = checkValue(len(c.value))
	}
	if refusal == 0 && c.operation == OpPutTTL && c.amount <= 0 {
		refusal = BadTTL
	}
	return c, refusal
}

func decodeForm(b []byte) (command, Refusal) {
	if b[0] < firstText {
		return decodeBinary(b)
	}
	return decodeText(b)
}

func decodeBinary(b []byte) (command, Refusal) {
	if b[0] != commandVersion {
		return command{}, UnknownVersion
	}
	if len(b) < commandHeader {
		return command{}, Malformed
	}
	c := command{operation: Operation(b[1])}
	if !c.operation.hasValue() && c.operation != OpDelete && c.operation != OpIncrement {
		return command{}, UnknownOperation
	}
	length, rest := binary.LittleEndian.Uint32(b[4:]), b[commandHeader:]
	if c.operation.hasAmount() {
		if len(rest) < amountLength {
			return c, Malformed
		}
		c.amount, rest = int64(binary.LittleEndian.Uint64(rest)), rest[amountLength:]
	}
	if b[2] != 0 || b[3] != 0 || uint64(length) > uint64(len(rest)) {
		return c, Malformed
	}
	c.key, c.value = rest[:length], rest[length:]
	if !c.operation.hasValue() && len(c.value) > 0 {
		return c, Malformed
	}
	return c, 0
}

func checkKey(length int) Refusal {
	switch {
	case length == 0:
		return EmptyKey
	case length > MaxKey:
		return KeyTooLong
	}
	return 0
}

func checkValue(length int) Refusal {
	if length > MaxValue {
		return ValueTooLong
	}
	return 0
}
