package httpapi

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"balsa/client"
	"balsa/kv"
)

// getKey answers GET and HEAD below PathKV from a state as new as the request demands.
func getKey(c *call) *problem {
	if p := c.read(); p != nil {
		return p
	}
	item, at, found := c.api.store.Read(c.key)
	c.setRevision(at)
	if !found {
		return notFound()
	}
	h := c.w.Header()
	h.Set("Cache-Control", "no-cache") // may be kept, to be asked about with If-None-Match each time
	h.Set("ETag", etag(item.Modified))
	h.Set(client.HeaderCreateRevision, strconv.FormatUint(uint64(item.Created), 10))
	h.Set(client.HeaderVersion, strconv.FormatUint(item.Version, 10))
	if item.Expires != 0 {
		h.Set(client.HeaderExpires, expiry(item).Format(time.RFC3339Nano))
	}
	switch {
	case matches(c.r.Header.Values("If-None-Match"), etag(item.Modified)):
		c.w.WriteHeader(http.StatusNotModified)
	case c.query.Get("format") == "json":
		c.json(http.StatusOK, itemBody(c.key, item))
	default:
		c.bytes(http.StatusOK, "application/octet-stream", item.Value)
	}
	return nil
}

func notFound() *problem {
	return &problem{status: http.StatusNotFound, code: client.CodeKeyNotFound,
		message: kv.ErrNotFound.Error()}
}

// putKey stores the request's body, for good or for a while.
func putKey(c *call) *problem {
	reach, p := c.checkWrite(readParameters)
	if p != nil {
		return p
	}
	ttl, p := timeToLive(c.query)
	if p != nil {
		return p
	}
	value, p := c.body(kv.MaxValue)
	if p != nil {
		return p
	}
	command := kv.Put(c.key, value)
	if ttl > 0 {
		command = kv.PutTTL(c.key, value, ttl.Nanoseconds())
	}
	result, p := c.propose(command, reach)
	if p != nil {
		return p
	}
	c.w.Header().Set("ETag", etag(result.Revision))
	status := http.StatusOK
	if result.Created {
		status = http.StatusCreated
	}
	c.json(status, client.PutBody{Created: result.Created, Revision: uint64(result.Revision)})
	return nil
}

// deleteKey removes a key. That it is not there is no error: what was asked for holds.
func deleteKey(c *call) *problem {
	reach, p := c.checkWrite(readParameters + " ttl")
	if p != nil {
		return p
	}
	result, p := c.propose(kv.Delete(c.key), reach)
	if p != nil {
		return p
	}
	c.json(http.StatusOK, client.DeleteBody{Deleted: result.Deleted, Revision: uint64(result.Revision)})
	return nil
}

// checkWrite refuses parameters that belong to other requests, and keys that are none, and reads how far a
// write may go.
func (c *call) checkWrite(others string) (reach, *problem) {
	for _, name := range strings.Fields(others) {
		if c.query.Has(name) {
			return anywhere, misplaced(name)
		}
	}
	if err := kv.CheckKey(c.key); err != nil {
		return anywhere, refusalProblem(err)
	}
	return c.checkReach()
}

func misplaced(parameter string) *problem {
	if parameter == "ttl" {
		return badRequest("the parameter \"ttl\" belongs to PUT")
	}
	return badRequest("the parameter %q belongs to reads", parameter)
}

// timeToLive reads ?ttl; 0 is for good.
func timeToLive(query url.Values) (time.Duration, *problem) {
	if !query.Has("ttl") {
		return 0, nil
	}
	ttl, err := time.ParseDuration(query.Get("ttl"))
	if err != nil || ttl <= 0 {
		return 0, badRequest("ttl is a duration above zero and up to %s, such as ttl=30s", longestTTL)
	}
	return ttl, nil
}

// longestTTL is the longest duration in whole hours that time.ParseDuration can hold, 292 years.
const longestTTL = "2562047h"

// expiry is when an item goes that does.
func expiry(item kv.Item) time.Time { return time.Unix(0, int64(item.Expires)).UTC() }

// propose replicates a command and reads what the map made of it.
func (c *call) propose(command []byte, reach reach) (kv.Result, *problem) {
	key, p := c.retryKey()
	if p != nil {
		return kv.Result{}, p
	}
	applied, err := c.replicate(command, key, reach != anywhere)
	if err != nil {
		return kv.Result{}, c.sendOn(nodeProblem(err), reach)
	}
	result, err := kv.DecodeResult(applied.Result)
	if err != nil {
		return kv.Result{}, nodeProblem(err)
	}
	if applied.Replayed {
		c.w.Header().Set(client.HeaderReplayed, "true")
	}
	c.setRevision(result.Revision)
	c.w.Header().Set(client.HeaderConsistency, client.ConsistencyLinearizable)
	if result.Refusal != 0 {
		return kv.Result{}, refusalProblem(result.Refusal)
	}
	return result, nil
}

func (c *call) setRevision(r kv.Revision) {
	c.w.Header().Set(client.HeaderRevision, strconv.FormatUint(uint64(r), 10))
}

func etag(r kv.Revision) string { return `"` + strconv.FormatUint(uint64(r), 10) + `"` }

// matches reports whether a condition names the tag, or any. Weak tags compare as strong ones:
// If-None-Match asks for that (RFC 9110 §13.1.2).
func matches(conditions []string, tag string) bool {
	for _, condition := range conditions {
		for one := range strings.SplitSeq(condition, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}

func itemBody(key string, item kv.Item) client.ItemBody {
	b := client.ItemBody{
		CreateRevision: uint64(item.Created),
		ModRevision:    uint64(item.Modified),
		Version:        item.Version,
	}
	if item.Expires != 0 {
		at := expiry(item)
		b.Expires = &at
	}
	b.Key, b.KeyBase64 = textOrBytes([]byte(key))
	b.Value, b.ValueBase64 = textOrBytes(item.Value)
	return b
}

// textOrBytes returns one of two: JSON would turn what is no UTF-8 into something else.
func textOrBytes(b []byte) (*string, []byte) {
	if utf8.Valid(b) {
		text := string(b)
		return &text, nil
	}
	return nil, b
}
