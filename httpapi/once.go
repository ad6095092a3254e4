package httpapi

import (
	"strconv"
	"strings"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

// Writes that may be sent twice (thesis §6.3). A client that has heard nothing of a write does not know
// whether it happened; under a key it may ask again, and is given the first answer if there was one.

const (
	// keyTTL is how long a key that belongs to no session is remembered after its latest use. The cluster
	// remembers 131,072 keys, so 131,072 / 10 min = 218 new ones a second can be sent for as long as one
	// likes. Beyond that new ones are refused (too_many_keys) until old ones have ended. Sessions are the way
	// for more.
	keyTTL = client.KeyLife
	// maxOnce is the length of the longest key, in bytes.
	maxOnce = 128
)

// retryKey is what a request's Idempotency-Key says; the zero value is a request without one.
type retryKey struct {
	key     string     // a key of its own
	session raft.Index // else a session, and
	number  uint64     // which of its numbers
}

// retryKey reads the key of the request. One that is not understood must not be ignored: its sender would
// repeat a write that is carried out each time.
func (c *call) retryKey() (retryKey, *problem) {
	keys := c.r.Header.Values(client.HeaderIdempotencyKey)
	if len(keys) == 0 {
		return retryKey{}, nil
	}
	key := keys[0]
	hidden := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(keys) > 1 || key == "" || len(key) > maxOnce || strings.ContainsFunc(key, hidden) {
		return retryKey{}, badRequest("%s is one key of 1 to %d visible characters of ASCII",
			client.HeaderIdempotencyKey, maxOnce)
	}
	rest, named := strings.CutPrefix(key, client.SessionKeyPrefix)
	session, number, cut := strings.Cut(rest, "-")
	if !named || !cut || strings.Trim(session+number, "0123456789") != "" {
		return retryKey{key: key}, nil
	}
	id, wrongID := strconv.ParseUint(session, 10, 64)
	n, wrongNumber := strconv.ParseUint(number, 10, 64)
	if wrongID != nil || wrongNumber != nil || id == 0 || n == 0 {
		return retryKey{}, badRequest("the %s is none of a session: %q, its id, \"-\", and a number from 1",
			client.HeaderIdempotencyKey, client.SessionKeyPrefix)
	}
	return retryKey{session: raft.Index(id), number: n}, nil
}

// replicate puts a command to the node in the way that its key asks for.
func (c *call) replicate(command []byte, k retryKey, local bool) (applied balsa.Applied, err error) {
	node := c.api.node
	switch {
	case k.session != 0:
		session := node.Resume(k.session, k.number)
		if local {
			session = session.Local()
		}
		return session.ProposeAs(c.ctx, k.number, command)
	case k.key != "" && local:
		return node.ProposeOnceLocal(c.ctx, k.key, keyTTL, command)
	case k.key != "":
		return node.ProposeOnce(c.ctx, k.key, keyTTL, command)
	case local:
		applied.Result, err = node.ProposeLocal(c.ctx, command)
	default:
		applied.Result, err = node.Propose(c.ctx, command)
	}
	return applied, err
}
