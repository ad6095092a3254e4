package sim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ReadSpec reads a run from a file's bytes. An error is one sentence with line and column.
func ReadSpec(text []byte) (Spec, error) {
	var s Spec
	err := decode(text, &s)
	if err == nil {
		err = s.Check()
	}
	if err == nil {
		return s, nil
	}
	at, why := blame(text, err)
	line, column := position(text, at)
	return Spec{}, fmt.Errorf("line %d, column %d: %s", line, column, why)
}

// decode reads one document and nothing behind it.
func decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return misplaced{d.InputOffset(), "something follows the end of the run"}
	}
	return nil
}

// misplaced is an error that knows its place.
type misplaced struct {
	offset int64
	why    string
}

// Error leaves the place to who knows the text.
func (m misplaced) Error() string { return m.why }

// blame finds the place of an error and says it for people. The decoder knows the place of some; for the rest
// the smallest part of the document is sought that is wrong by itself.
func blame(text []byte, err error) (offset int64, why string) {
	if e, ok := errors.AsType[misplaced](err); ok {
		return e.offset, e.why
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return max(e.Offset-1, 0), strings.TrimPrefix(e.Error(), "json: ")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return int64(len(text)), "the run ends before its end"
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return e.Offset - 1, fmt.Sprintf("%s cannot be %s", e.Field, article(e.Value))
	}
	top := members(text)
	for _, m := range top {
		if m.name == "script" {
			for _, op := range elements(text, m) {
				if wrong := (Op{}).wrong(op.text, nodesOf(top)); wrong != nil {
					return op.offset, oneLine(wrong)
				}
			}
		}
		if wrong := wrongAlone(m); wrong != nil {
			return m.offset, oneLine(wrong)
		}
	}
	return 0, oneLine(err)
}

func article(value string) string {
	if value == "array" || value == "object" {
		return "an " + value
	}
	return "a " + value
}

func oneLine(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s cannot be %s", cmp.Or(e.Field, "a run"), article(e.Value))
	}
	return strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", "; "), "json: ")
}

// part is a value inside a document.
type part struct {
	name   string // of the member that it is the value of
	offset int64
	text   []byte
}

// members are those of an object.
func members(text []byte) (all []part) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		name, isName := key.(string)
		var value json.RawMessage
		if err != nil || !isName || d.Decode(&value) != nil {
			return all
		}
		all = append(all, part{name, d.InputOffset() - int64(len(value)), value})
	}
	return all
}

// elements are those of an array that lies in the text.
func elements(text []byte, array part) (all []part) {
	d := json.NewDecoder(bytes.NewReader(text[array.offset:]))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil
	}
	for d.More() {
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return all
		}
		all = append(all, part{"", array.offset + d.InputOffset() - int64(len(value)), value})
	}
	return all
}

// nodesOf is how many servers the run has, as far as can be told.
func nodesOf(top []part) int {
	for _, m := range top {
		var o struct {
			Nodes  int `json:"nodes"`
			Spares int `json:"spares"`
		}
		if m.name == "opt" && json.Unmarshal(m.text, &o) == nil {
			return o.Nodes + o.Spares
		}
	}
	return 0
}

// wrong says what of one operation of a script cannot be.
func (o Op) wrong(text []byte, nodes int) error {
	if err := decode(text, &o); err != nil {
		return err
	}
	if err := o.check(nodes); err != nil {
		return fmt.Errorf("%v: %w", o, err)
	}
	return nil
}

// wrongAlone says what of one member of a run cannot be.
func wrongAlone(m part) error {
	var s Spec
	name, err := json.Marshal(m.name)
	if err != nil {
		return err
	}
	document := bytes.Join([][]byte{[]byte("{"), name, []byte(":"), m.text, []byte("}")}, nil)
	if err := decode(document, &s); err != nil {
		if m.name == "seed" {
			return errors.New(`a seed is a number in quotes, as in "17"`)
		}
		return err
	}
	switch m.name {
	case "v":
		return s.checkVersion()
	case "profile":
		return s.checkProfile()
	case "opt":
		return s.Options.check()
	}
	return nil
}

// position turns an offset into line and column, both counted from 1.
func position(text []byte, offset int64) (line, column int) {
	before := text[:min(max(offset, 0), int64(len(text)))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, len(before) - bytes.LastIndexByte(before, '\n')
}
