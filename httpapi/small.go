package httpapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"balsa/client"
	"balsa/kv"
	"balsa/raft"
)

// The small API below /client/.

// maxSubmit bounds the body of a submitted command: JSON may write each byte of it as six.
const maxSubmit = 6*kv.MaxCommand + 1024

// submitCommand replicates a command in the text form and answers with what the map returned for it.
func submitCommand(c *call) *problem {
	reach, p := c.forwards()
	if p != nil {
		return p
	}
	body, p := c.body(maxSubmit)
	if p != nil {
		return p
	}
	var request client.SubmitRequest
	if err := decodeJSON(body, &request, `{"command":"SET key value"}`); err != nil {
		return badRequest("%v", err)
	}
	command, err := kv.ParseText(request.Command)
	if err != nil {
		return badRequest("%v", err)
	}
	result, p := c.propose(command, reach)
	if p != nil {
		return p
	}
	text, err := result.Text()
	if err != nil {
		return badRequest("%v", err)
	}
	c.json(http.StatusOK, client.SubmitResponse{Result: text})
	return nil
}

// decodeJSON reads one JSON value and nothing else. Its error says where and what, and shows an example.
func decodeJSON(body []byte, into any, example string) error {
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8: PUT below /v1/kv/ takes any bytes")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return explainJSON(err, example)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the body goes on behind its JSON, at byte %d", decoder.InputOffset())
	}
	return nil
}

func explainJSON(err error, example string) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the body is empty: send " + example)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the body is no JSON: it ends too early")
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is no JSON: %v, at byte %d", syntax, syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("the body's %q is a %s and should be %s, at byte %d",
			kind.Field, kind.Value, withArticle(kind.Type.String()), kind.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("the body is no JSON object (%s): send %s", kind.Value, example)
	}
	return errors.New("the body does not fit: " + strings.TrimPrefix(err.Error(), "json: "))
}

func withArticle(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

func showLeader(c *call) *problem {
	c.json(http.StatusOK, client.LeaderResponse{
		LeaderID: hint(c.status.Leader),
		NodeID:   uint64(c.status.ID),
		IsLeader: c.status.Role == raft.Leader,
	})
	return nil
}

func showClientStatus(c *call) *problem {
	s := c.status
	c.json(http.StatusOK, client.ClientStatus{
		NodeID:      uint64(s.ID),
		State:       stateName(s.Role),
		Term:        uint64(s.Term),
		LeaderID:    hint(s.Leader),
		CommitIndex: uint64(s.Commit),
		LastApplied: uint64(s.Applied),
		LogLength:   uint64(s.LogLength),
	})
	return nil
}

func stateName(r raft.Role) string {
	switch r {
	case raft.Leader:
		return "Leader"
	case raft.Candidate, raft.PreCandidate:
		return "Candidate"
	}
	return "Follower"
}

// showOwnKey answers from this node's own state, which may be behind.
func showOwnKey(c *call) *problem {
	if err := kv.CheckKey(c.key); err != nil {
		return refusalProblem(err)
	}
	item, at, found := c.api.store.Read(c.key)
	c.ownState(at)
	if !found {
		return notFound()
	}
	c.json(http.StatusOK, client.ClientItem{Key: c.key, Value: string(item.Value)})
	return nil
}

func (c *call) ownState(at kv.Revision) {
	c.setRevision(at)
	c.w.Header().Set(client.HeaderConsistency, client.ConsistencyStale)
	c.showContact(c.status.Contact)
}

// showOwnState streams all keys and values of this node's own state, which may be behind, as one JSON
// object in the order of the keys' bytes. It is of one moment, and only one item of it is ever held as
// JSON.
func showOwnState(c *call) *problem {
	view := c.api.store.View()
	c.ownState(view.Revision())
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	out := bufio.NewWriterSize(c.w, 64<<10)
	separator := "{"
	for key, item := range view.From("") {
		_, _ = out.WriteString(separator)
		if err := writePair(out, key, string(item.Value)); err != nil {
			return nil // the client has gone
		}
		separator = ","
	}
	if separator == "{" {
		_, _ = out.WriteString(separator)
	}
	_, _ = out.WriteString("}\n")
	_ = out.Flush()
	return nil
}

func writePair(out *bufio.Writer, key, value string) error {
	name, err := json.Marshal(key)
	if err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, _ = out.Write(name)
	_ = out.WriteByte(':')
	_, err = out.Write(text) // a bufio.Writer keeps its first error
	return err
}
