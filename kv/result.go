package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrNotFound says that a command in the text form named a key that is not there.
var ErrNotFound = errors.New("key not found")

// ErrBadResult says that bytes are no encoded Result.
var ErrBadResult = errors.New("not a result of the key-value map")

// Refusal says why a command was not performed. It is an error; 0 is no refusal. The numbers are part of
// the format.
//
// A result carries the number and not the sentence: results will be kept in snapshots, for clients that ask
// twice, and a reworded sentence would let the snapshots of two versions differ.
type Refusal uint8

// The refusals.
const (
	EmptyCommand     Refusal = 1
	UnknownVersion   Refusal = 2
	UnknownOperation Refusal = 3
	Malformed        Refusal = 4
	UnknownWord      Refusal = 5
	MissingValue     Refusal = 6
	SpaceInKey       Refusal = 7
	EmptyKey         Refusal = 8
	KeyTooLong       Refusal = 9
	ValueTooLong     Refusal = 10
	NotANumber       Refusal = 11
	Overflow         Refusal = 12
	BadTTL           Refusal = 13
	BadAmount        Refusal = 14
)

// Error is one sentence for the person who sent the command.
func (r Refusal) Error() string {
	switch r {
	case EmptyCommand:
		return "the command is empty: write SET key value, DELETE key or INCR key"
	case UnknownVersion:
		return "the command is of a version that this cluster does not know"
	case UnknownOperation:
		return "the command's operation is not one that this cluster knows"
	case Malformed:
		return "the command's bytes do not fit together"
	case UnknownWord:
		return "unknown command: write SET key value, DELETE key or INCR key, in capitals"
	case MissingValue:
		return "SET needs a key and a value: SET key value"
	case SpaceInKey:
		return "DELETE takes one key, without spaces: DELETE key"
	case EmptyKey:
		return "the key is empty"
	case KeyTooLong:
		return fmt.Sprintf("the key is too long: at most %d bytes", MaxKey)
	case ValueTooLong:
		return fmt.Sprintf("the value is too large: at most %d bytes", MaxValue)
	case NotANumber:
		return "the value under the key is not a number: a counter holds the decimal digits of an int64 alone"
	case Overflow:
		return "the sum is beyond what an int64 holds"
	case BadTTL:
		return "the time to live must be above zero"
	case BadAmount:
		return "INCR adds a whole number within int64: INCR key, or INCR key -5"
	}
	return fmt.Sprintf("the command was refused for reason %d", uint8(r))
}

// Result is what applying one command came to.
type Result struct {
	Operation Operation // what was asked; 0 if the command did not say
	Created   bool      // OpPut, OpPutTTL, OpIncrement: the key was not there before
	Deleted   uint32    // OpDelete: how many keys were removed
	Refusal   Refusal   // not 0: nothing was done, and why
	Revision  Revision  // of the map right after; the command's own revision if it changed anything
	Value     int64     // OpIncrement: the number under the key, now
}

// Text is the answer to a command in the text form: "OK", for INCR the number that the key now holds, or an
// error, which is the Refusal or, for DELETE of a key that is not there, ErrNotFound.
func (r Result) Text() (string, error) {
	if r.Refusal != 0 {
		return "", r.Refusal
	}
	if r.Operation == OpDelete && r.Deleted == 0 {
		return "", ErrNotFound
	}
	if r.Operation == OpIncrement {
		return string(formatNumber(r.Value)), nil
	}
	return "OK", nil
}

const (
	resultVersion = 1
	resultLength  = 16
	numberLength  = 8 // what the result of an increment has behind it
)

// encode writes the result, little-endian. Only that of OpIncrement has a value:
//
//	 0        1           2         3         4         8          16
//	┌────────┬───────────┬─────────┬─────────┬─────────┬──────────┬───────┐
//	│ version│ operation │ created │ refusal │ deleted │ revision │ value │
//	│ u8 = 1 │ u8        │ 0 or 1  │ u8      │ u32     │ u64      │ i64   │
//	└────────┴───────────┴─────────┴─────────┴─────────┴──────────┴───────┘
func (r Result) encode() []byte {
	b := make([]byte, 0, resultLength+numberLength)
	b = append(b, resultVersion, byte(r.Operation), 0, byte(r.Refusal))
	if r.Created {
		b[2] = 1
	}
	b = binary.LittleEndian.AppendUint32(b, r.Deleted)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Revision))
	if r.Operation == OpIncrement {
		b = binary.LittleEndian.AppendUint64(b, uint64(r.Value))
	}
	return b
}

// DecodeResult reads what Apply returned. The error wraps ErrBadResult.
func DecodeResult(b []byte) (Result, error) {
	want := resultLength
	if len(b) > 1 && Operation(b[1]) == OpIncrement {
		want += numberLength
	}
	if len(b) != want || b[0] != resultVersion || b[2] > 1 {
		return Result{}, fmt.Errorf("%d bytes, not of version %d: %w", len(b), resultVersion, ErrBadResult)
	}
	r := Result{
		Operation: Operation(b[1]),
		Created:   b[2] == 1,
		Refusal:   Refusal(b[3]),
		Deleted:   binary.LittleEndian.Uint32(b[4:]),
		Revision:  Revision(binary.LittleEndian.Uint64(b[8:])),
	}
	if r.Operation == OpIncrement {
		r.Value = int64(binary.LittleEndian.Uint64(b[resultLength:]))
	}
	return r, nil
}
