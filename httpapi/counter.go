package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"balsa/client"
	"balsa/kv"
)

// incrementKey adds to the number under a key. A key may end in anything, so the path is held as it was sent:
// only what was written as a slash ends the key.
func incrementKey(c *call) *problem {
	escaped := strings.TrimPrefix(c.r.URL.EscapedPath(), client.PathKV)
	escaped, found := strings.CutSuffix(escaped, client.PathIncrement)
	if !found {
		return c.notAllowed("GET, HEAD, PUT, DELETE")
	}
	key, err := url.PathUnescape(escaped)
	if err != nil {
		return badRequest("the key in the path is not escaped as a URL has it")
	}
	c.key = key
	reach, p := c.checkWrite(readParameters + " ttl")
	if p != nil {
		return p
	}
	by, p := c.summand()
	if p != nil {
		return p
	}
	result, p := c.propose(kv.Increment(c.key, by), reach)
	if p != nil {
		return p
	}
	c.w.Header().Set("ETag", etag(result.Revision))
	c.json(http.StatusOK, client.IncrementBody{Value: result.Value, Created: result.Created,
		Revision: uint64(result.Revision)})
	return nil
}

// maxSummand bounds the body of an increment, in bytes.
const maxSummand = 1024

// summand reads how much is to be added: 1 if the body does not say.
func (c *call) summand() (int64, *problem) {
	body, p := c.body(maxSummand)
	if p != nil || len(body) == 0 {
		return 1, p
	}
	var request client.IncrementRequest
	if err := decodeJSON(body, &request, `{"by":1}`); err != nil {
		return 0, badRequest("%v", err)
	}
	if request.By == nil {
		return 1, nil
	}
	return *request.By, nil
}
