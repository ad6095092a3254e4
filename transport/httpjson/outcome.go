package httpjson

import (
	"encoding/json"
	"net/http"
	"time"

	"balsa/raft"
	"balsa/wire"
)

// outcome is what a request is answered with: a response of raft, or a sentence about what is wrong.
type outcome struct {
	status int
	body   []byte // JSON; empty for none
}

// errorBody is the body of every status that is no success. A refusal of identity has a reason in it too.
type errorBody struct {
	Error string `json:"error"`
}

func problem(status int, sentence string) *outcome {
	body, err := json.Marshal(errorBody{sentence})
	if err != nil {
		panic("httpjson: " + err.Error()) // a struct of one string always has a JSON form
	}
	return &outcome{status, append(body, '\n')}
}

func closing() *outcome {
	return problem(http.StatusServiceUnavailable, "this node is closing: try again when it is back")
}

// answered makes an outcome of a response. A refused identity is an error for whoever looks at the status
// only.
func answered(response raft.Envelope) *outcome {
	status := http.StatusOK
	if _, refused := response.Message.(raft.IdentityRefused); refused {
		status = http.StatusForbidden
	}
	return &outcome{status, wire.AppendJSON(nil, response)}
}

// write sends the outcome, to whoever still listens.
func (o *outcome) write(w http.ResponseWriter) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	if len(o.body) > 0 {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
	}
	w.WriteHeader(o.status)
	w.Write(o.body)
}
