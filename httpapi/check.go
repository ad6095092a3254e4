package httpapi

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

// A comparison of the states of all members at one index, where they must be equal byte for byte. The node
// that is asked picks an index a little ahead of what is applied, asks every member for the hash of its state
// right there, and has the log come to it:
//
//	picks index ──▶ GET ?index= to every member ──▶ all know it ──▶ the log is taken there ──▶ the hashes
//
// A member answers with the head of its response as soon as it knows the index. On a busy cluster the log may
// pass the index before a member has heard of it: then it is done again with one further ahead.

const (
	// checkTimeout is how long a comparison may take by default: a large state takes a while to be read.
	checkTimeout = 30 * time.Second
	// heardTimeout is for how long the log is not taken on while members have not said that they know the
	// index: that is the time to find that one is down.
	heardTimeout = 2 * time.Second
	// The distance at which the index is picked, at first and at most.
	firstAhead = 8
	mostAhead  = 1 << 16
)

// checkStates compares all members, or, with an index, answers for this one alone.
func checkStates(c *call) *problem {
	if c.query.Has("index") {
		return ownHash(c)
	}
	for ahead := raft.Index(firstAhead); ; ahead *= 16 {
		state, err := c.api.node.Read(c.ctx, balsa.ReadMode{})
		if err != nil {
			return readProblem(err)
		}
		result, err := c.compare(state.Applied + ahead)
		switch {
		case err != nil:
			return readProblem(err)
		case result.passed() && ahead*16 <= mostAhead:
		case result.Differ:
			c.api.logger.Error("The states of the members differ", "index", result.Index)
			c.json(http.StatusInternalServerError, client.ErrorBody{Check: &result.CheckBody,
				Error: (&problem{code: client.CodeMismatch, term: c.status.Term, leader: c.status.Leader,
					message: fmt.Sprintf("the states of the members differ at index %d", result.Index),
				}).detail(c.status.ID)})
			return nil
		default:
			c.json(http.StatusOK, result.CheckBody)
			return nil
		}
	}
}

// ownHash answers with the hash of this node's state right after an entry that it has not applied yet.
func ownHash(c *call) *problem {
	index, err := strconv.ParseUint(c.query.Get("index"), 10, 64)
	if err != nil || index == 0 {
		return badRequest("index is that of an entry, a decimal such as index=17")
	}
	asked, err := c.api.node.HashAt(c.ctx, raft.Index(index))
	if err != nil {
		return readProblem(err)
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(c.w).Flush() // whoever compares now knows that this node knows
	_ = json.NewEncoder(c.w).Encode(memberHash(c.ctx, uint64(c.status.ID), asked))
	return nil
}

// memberHash waits for a hash.
func memberHash(ctx context.Context, id uint64, asked *balsa.Hashing) client.MemberHash {
	m := client.MemberHash{ID: id}
	hash, err := asked.Wait(ctx)
	switch e := (*balsa.Error)(nil); {
	case errors.As(err, &e): // there is no command that could have been applied
		m.Passed, m.Error = e.Kind == balsa.ErrPassed, firstLine(e.Reason())
	case err != nil:
		m.Error = firstLine(err.Error())
	default:
		m.Hash, m.Bytes = hex.EncodeToString(hash.Sum[:]), hash.Bytes
	}
	return m
}

// compare asks every member for its hash at an index. The error is that of the log, which did not come there;
// what is wrong with a member stands in its row.
func (c *call) compare(index raft.Index) (comparison, error) {
	own, err := c.api.node.HashAt(c.ctx, index)
	if err != nil {
		return comparison{}, err
	}
	members := c.others()
	answers := make(chan client.MemberHash, len(members))
	heard := make(chan struct{}, len(members))
	for _, m := range members {
		go func() { answers <- c.askHash(m, index, heard) }()
	}
	c.awaitHeard(heard, len(members))
	advanced := c.api.node.AdvanceTo(c.ctx, index)
	result := comparison{client.CheckBody{Index: uint64(index)}}
	result.Members = append(result.Members, memberHash(c.ctx, uint64(c.status.ID), own))
	result.Members[0].API = c.status.API
	for range members {
		result.Members = append(result.Members, <-answers)
	}
	slices.SortFunc(result.Members, func(a, b client.MemberHash) int { return cmp.Compare(a.ID, b.ID) })
	result.judge()
	return result, advanced
}

// others are the other members, as far as this node knows where clients reach them.
func (c *call) others() (others []client.MemberHash) {
	for _, p := range c.status.Peers {
		others = append(others, client.MemberHash{ID: uint64(p.ID), API: p.API})
	}
	return others
}

// awaitHeard waits until all members have said that they know the index, or cannot.
func (c *call) awaitHeard(heard <-chan struct{}, members int) {
	patience := time.NewTimer(heardTimeout)
	defer patience.Stop()
	for range members {
		select {
		case <-heard:
		case <-patience.C:
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// askHash asks a member, and says on heard when that knows the index or will not.
func (c *call) askHash(m client.MemberHash, index raft.Index, heard chan<- struct{}) client.MemberHash {
	response, err := c.sendHash(m, index)
	heard <- struct{}{}
	if err != nil {
		m.Error = firstLine(err.Error())
		return m
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxSession))
	var said client.MemberHash
	if err == nil {
		err = json.Unmarshal(body, &said)
	}
	switch {
	case err != nil && c.ctx.Err() != nil:
		m.Error = "no answer in time"
	case err != nil || response.StatusCode != http.StatusOK:
		m.Error = fmt.Sprintf("no hash, HTTP status %d", response.StatusCode)
	case said.ID != m.ID:
		m.Error = fmt.Sprintf("node %d answers at %s", said.ID, m.API)
	default:
		said.API = m.API
		return said
	}
	return m
}

func (c *call) sendHash(m client.MemberHash, index raft.Index) (*http.Response, error) {
	if m.API == "" {
		return nil, errors.New("where clients reach it is not known: start it with --advertise-http")
	}
	query := url.Values{"index": {strconv.FormatUint(uint64(index), 10)}}
	if deadline, bounded := c.ctx.Deadline(); bounded {
		left := max(time.Until(deadline), time.Millisecond).Truncate(time.Millisecond)
		query.Set("timeout", min(left, maxTimeout).String())
	}
	request, err := http.NewRequestWithContext(c.ctx, http.MethodGet,
		strings.TrimSuffix(m.API, "/")+client.PathCheck+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := c.api.members.Do(request)
	if inner := errors.Unwrap(err); inner != nil { // without the URL, which stands beside it
		return nil, inner
	}
	return response, err
}

// comparison is what the members said.
type comparison struct{ client.CheckBody }

// passed reports whether a member was too late, and another index may do better.
func (r comparison) passed() bool {
	return slices.ContainsFunc(r.Members, func(m client.MemberHash) bool { return m.Passed })
}

// judge says whether the hashes are equal, and which differ from those of most members.
func (r *comparison) judge() {
	count := map[string]int{}
	common := ""
	for _, m := range r.Members {
		if m.Hash == "" {
			r.Missing++
			continue
		}
		count[m.Hash]++
		if count[m.Hash] > count[common] {
			common = m.Hash
		}
	}
	r.Differ = len(count) > 1
	for i, m := range r.Members {
		r.Members[i].Differs = r.Differ && m.Hash != "" &&
			(m.Hash != common || 2*count[common] <= len(r.Members)-r.Missing)
	}
}
