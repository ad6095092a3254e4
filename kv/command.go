package kv

import (
	"bytes"
	"encoding/binary"
)

// The limits of a key and of a value, in bytes. They are checked before a command is appended, and again
// when it is applied: an entry may have been written by hand.
const (
	MaxKey   = 4096
	MaxValue = 1 << 20
)

// MaxCommand is the length of the longest command within the limits, in bytes.
const MaxCommand = commandHeader + MaxKey + MaxValue

// Operation says what a command does. The numbers are part of the format.
type Operation uint8

// The operations of this version.
const (
	OpPut    Operation = 1
	OpDelete Operation = 2
)

// The operations that are reserved: this version refuses them, and nothing else may take their numbers.
const (
	opCompareAndSet Operation = 3
	opTransaction   Operation = 4
	opIncrement     Operation = 5
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
		opTransaction: "transaction", opIncrement: "increment", opExpire: "expire",
		opGrantLease: "grant-lease", opKeepLease: "keep-lease", opRevokeLease: "revoke-lease",
		opDeleteRange: "delete-range",
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
}

const (
	commandVersion = 1
	commandHeader  = 8
	firstText      = 0x20 // a command that begins below this is binary, and that byte is its version
)

// Put encodes the command that stores a value under a key. Whoever has not checked both with CheckKey and
// CheckValue may get a command that every node will refuse.
//
//	 0       1       2        4            8
//	┌───────┬───────┬────────┬────────────┬─────┬───────┐
//	│ version operat. zero ×2│ key length │ key │ value │   little-endian; the value takes the rest
//	│ u8 = 1│ u8    │        │ u32        │     │       │
//	└───────┴───────┴────────┴────────────┴─────┴───────┘
//
// The text form, which Apply takes as well, begins with a printable character and so with another byte.
func Put(key string, value []byte) []byte {
	return append(encodeCommand(OpPut, key, len(value)), value...)
}

// Delete encodes the command that removes a key: the layout of Put, without a value.
func Delete(key string) []byte { return encodeCommand(OpDelete, key, 0) }

func encodeCommand(operation Operation, key string, more int) []byte {
	b := make([]byte, 0, commandHeader+len(key)+more)
	b = append(b, commandVersion, byte(operation), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(key)))
	return append(b, key...)
}

// CheckKey returns nil if the key may be used, else EmptyKey or KeyTooLong. Keys are any bytes.
func CheckKey(key string) error { return asError(checkKey(len(key))) }

// CheckValue returns nil if the value may be stored, else ValueTooLong. Values are any bytes, or none.
func CheckValue(value []byte) error { return asError(checkValue(len(value))) }

// Validate returns nil if Apply would perform the command, else the Refusal with which it would answer. It
// looks at the command alone, not at any state.
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
	if c.operation != OpPut && c.operation != OpDelete {
		return command{}, UnknownOperation
	}
	length := binary.LittleEndian.Uint32(b[4:])
	if b[2] != 0 || b[3] != 0 || uint64(length) > uint64(len(b)-commandHeader) {
		return c, Malformed
	}
	c.key, c.value = b[commandHeader:commandHeader+length], b[commandHeader+length:]
	if c.operation == OpDelete && len(c.value) > 0 {
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

// ParseText checks a command in the form for people and returns the bytes to append, which are the same
// characters, so that the log stays readable:
//
//	SET key value      the value is everything behind the one space after the key; it may be empty
//	DELETE key         a key of this form contains no space
//
// The error is a Refusal.
func ParseText(text string) ([]byte, error) {
	b := []byte(text)
	if len(b) > 0 && b[0] < firstText { // would be taken for the binary form
		return nil, UnknownWord
	}
	if err := Validate(b); err != nil {
		return nil, err
	}
	return b, nil
}

func decodeText(b []byte) (command, Refusal) {
	word, rest, _ := bytes.Cut(b, []byte(" "))
	switch string(word) {
	case "SET":
		key, value, found := bytes.Cut(rest, []byte(" "))
		if !found {
			return command{operation: OpPut}, MissingValue
		}
		return command{operation: OpPut, key: key, value: value}, 0
	case "DELETE":
		if bytes.IndexByte(rest, ' ') >= 0 {
			return command{operation: OpDelete}, SpaceInKey
		}
		return command{operation: OpDelete, key: rest}, 0
	}
	return command{}, UnknownWord
}
