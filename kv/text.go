package kv

import (
	"bytes"
	"strconv"
)

// ParseText checks a command in the form for people and returns the bytes to append, which are the same
// characters, so that the log stays readable:
//
//	SET key value      the value is everything behind the one space after the key; it may be empty
//	DELETE key         a key of this form contains no space
//	INCR key [by]      adds to the number under the key: by is a decimal, 1 if it is left out
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
	case "INCR":
		return decodeIncrement(rest)
	}
	return command{}, UnknownWord
}

func decodeIncrement(rest []byte) (command, Refusal) {
	key, by, found := bytes.Cut(rest, []byte(" "))
	c := command{operation: OpIncrement, key: key, amount: 1}
	if !found {
		return c, 0
	}
	amount, whole := parseNumber(by)
	if !whole {
		return command{operation: OpIncrement}, BadAmount
	}
	c.amount = amount
	return c, 0
}

// parseNumber reads the decimal text of an int64, and only the one text that formatNumber writes for it:
// what an increment would turn into another spelling is no counter, but somebody's "007".
func parseNumber(text []byte) (n int64, whole bool) {
	if len(text) > len("-9223372036854775808") { // a value may be a megabyte
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil && string(formatNumber(n)) == string(text)
}

func formatNumber(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
