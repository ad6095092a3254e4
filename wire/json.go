package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"balsa/raft"
)

// The JSON form is for people: one object for each message, on one line, with the words of the paper first
// and what balsa adds behind them. All fields that are not named in a message's form in json_forms.go are
// optional:
//
//	┌──────────────────────────────────────────────────────────────────────────────────┐
//	│ {"term":3,"candidate_id":2,"last_log_index":7,"last_log_term":2,     the message │
//	│  "cluster":"5d3f…","node":2,"incarnation":"17294…","start":1,        its sender  │
//	│  "api":"http://127.0.0.1:8002","address":"127.0.0.1:9002","version":1,           │
//	│  "to":1,"sequence":42}                                               its way     │
//	└──────────────────────────────────────────────────────────────────────────────────┘
//
// Numbers are JSON numbers, but for incarnations and times: these exceed 2^53, beyond which JavaScript
// rounds, and are decimals in strings. A cluster id is hexadecimal.

// The JSON form of a message has at most JSONGrowth times the bytes of the Size of its entries, or of its
// command or data, and JSONOverhead more: a control character takes six bytes in JSON.
const (
	JSONGrowth   = 6
	JSONOverhead = 2048
)

// AppendJSON appends the JSON form of an envelope and a line feed. It panics when there is no message.
func AppendJSON(dst []byte, e raft.Envelope) []byte {
	f := formOf(e.Message)
	*f.around() = surroundingsOf(e)
	if c, claims := f.(claimant); claims {
		id, _ := c.claim()
		*id = e.From.Node
	}
	return appendObject(dst, f)
}

// appendObject appends a value of this package's own types, which always have a JSON form.
func appendObject(dst []byte, v any) []byte {
	buffer := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false) // "<" is to be read by people, and no browser reads this as a page
	if err := encoder.Encode(v); err != nil {
		panic("wire: " + err.Error())
	}
	return buffer.Bytes()
}

// DecodeJSON reads the JSON form of the message with that name (see Name). Its memory is the message's own; a
// decoded message takes no more than about twelve times the bytes of src. An error wraps ErrMalformed and is
// a sentence for whoever wrote the JSON.
//
// A message that names its cluster comes from a program, perhaps of a later version: fields that are not
// known are ignored. One that does not was written by hand: there an unknown field is a typing error and is
// refused. The sender of a request must be named, by candidate_id, leader_id or node.
func DecodeJSON(name string, src []byte) (raft.Envelope, error) {
	k := kindNamed(name)
	if k == 0 {
		return raft.Envelope{}, malformed("%q is not the name of a message", name)
	}
	f, strict := newForm(k), false
	err := decodeObject(src, f, strict)
	if err == nil && f.around().Cluster == "" {
		f, strict = newForm(k), true
		err = decodeObject(src, f, strict)
	}
	if err != nil {
		return raft.Envelope{}, malformed("%s: %w", name, err)
	}
	e, err := f.around().envelope()
	if err == nil {
		err = settleSender(f, &e)
	}
	if err == nil {
		e.Message, err = f.message(strict)
	}
	if err != nil {
		return raft.Envelope{}, malformed("%s: %w", name, err)
	}
	return e, nil
}

// settleSender compares the two fields that may name the sender: the one of the message's own form and
// "node".
func settleSender(f form, e *raft.Envelope) error {
	claimed, field := raft.None, "node"
	if c, claims := f.(claimant); claims {
		id, name := c.claim()
		claimed, field = *id, name
	}
	switch {
	case e.From.Node == raft.None:
		e.From.Node = claimed
	case claimed != raft.None && claimed != e.From.Node:
		return errors.New(`"` + field + `" and "node" name different senders`)
	}
	if _, response := f.(response); e.From.Node == raft.None && !response {
		return errors.New(`"` + field + `" is missing: a request names its sender`)
	}
	return nil
}

// decodeObject reads one JSON object that fills src. Its errors are sentences without a subject.
func decodeObject(src []byte, into any, strict bool) error {
	if !utf8.Valid(src) {
		return errors.New(`not UTF-8: what is no text goes into "command_base64"`)
	}
	if trimmed := bytes.TrimLeft(src, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("not a JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(src))
	if strict {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(into); err != nil {
		return explain(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// explain turns an error of encoding/json into words about the JSON instead of about Go.
func explain(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return errors.New("not JSON at byte " + strconv.FormatInt(syntax.Offset, 10) + ": " + syntax.Error())
	case errors.As(err, &kind):
		field := kind.Field[strings.LastIndexByte(kind.Field, '.')+1:]
		return errors.New(`"` + field + `" cannot be this ` + kind.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("not JSON: it ends too early")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

// surroundings are the fields that every form may have: who sends it, to whom, and in which exchange.
type surroundings struct {
	Cluster       string        `json:"cluster,omitempty"`
	Node          raft.NodeID   `json:"node,omitempty"`
	Incarnation   string        `json:"incarnation,omitempty"`
	Start         uint64        `json:"start,omitempty"`
	Configuration raft.Index    `json:"configuration,omitempty"`
	API           string        `json:"api,omitempty"`     // where clients reach the sender
	Address       string        `json:"address,omitempty"` // where peers reach it
	Version       uint32        `json:"version,omitempty"` // that its program supports
	To            raft.NodeID   `json:"to,omitempty"`
	Sequence      raft.Sequence `json:"sequence,omitempty"`
}

func (s *surroundings) around() *surroundings { return s }

func surroundingsOf(e raft.Envelope) surroundings {
	s := surroundings{
		Node: e.From.Node, Start: e.From.Start, Configuration: e.From.Configuration, API: e.From.API,
		Address: e.From.Address, Version: e.From.Version, To: e.To, Sequence: e.Sequence,
	}
	if e.From.Cluster != (raft.ClusterID{}) {
		s.Cluster = e.From.Cluster.String()
	}
	if e.From.Incarnation != 0 {
		s.Incarnation = strconv.FormatUint(uint64(e.From.Incarnation), 10)
	}
	return s
}

// envelope returns an envelope that still lacks its message.
func (s *surroundings) envelope() (e raft.Envelope, err error) {
	e.From = raft.Identity{Node: s.Node, Start: s.Start, Configuration: s.Configuration}
	e.To, e.Sequence = s.To, s.Sequence
	if s.Cluster != "" {
		cluster, err := hex.DecodeString(s.Cluster)
		if err != nil || len(cluster) != len(e.From.Cluster) {
			return e, errors.New(`"cluster" must be 32 hexadecimal digits`)
		}
		copy(e.From.Cluster[:], cluster)
	}
	if s.Incarnation != "" {
		incarnation, err := strconv.ParseUint(s.Incarnation, 10, 64)
		if err != nil {
			return e, errors.New(`"incarnation" must be a decimal below 2^64 in a string`)
		}
		e.From.Incarnation = raft.Incarnation(incarnation)
	}
	if err := CheckAPI(s.API); err != nil {
		return e, fmt.Errorf(`"api" %w`, err)
	}
	if err := CheckAPI(s.Address); err != nil {
		return e, fmt.Errorf(`"address" %w`, err)
	}
	e.From.API, e.From.Address, e.From.Version = s.API, s.Address, s.Version
	return e, nil
}
