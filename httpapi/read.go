package httpapi

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"balsa"
	"balsa/client"
	"balsa/kv"
	"balsa/raft"
)

// read waits until the map may be read as the request demands, and says in the headers what that is worth.
func (c *call) read() *problem {
	if c.query.Has("ttl") {
		return misplaced("ttl")
	}
	if err := kv.CheckKey(c.key); err != nil {
		return refusalProblem(err)
	}
	mode, p := readMode(c.query)
	if p != nil {
		return p
	}
	reach := anywhere
	if mode.Consistency != balsa.Stale { // a stale read leaves no node anyway
		if reach, p = c.checkReach(); p != nil {
			return p
		}
	}
	mode.Local = reach != anywhere
	state, err := c.api.node.Read(c.ctx, mode)
	if err != nil {
		return c.sendOn(readProblem(err), reach)
	}
	c.showTerm(state.Term, state.Leader)
	c.w.Header().Set(client.HeaderConsistency, state.Consistency.String())
	if state.Consistency == balsa.Stale {
		c.showContact(state.Contact)
	}
	return nil
}

// showContact says how long ago the node was in touch with the leader, if one is known.
func (c *call) showContact(contact time.Duration) {
	if contact >= 0 {
		c.w.Header().Set(client.HeaderLastContact, strconv.FormatInt(milliseconds(contact), 10))
	}
}

// readMode reads the parameters that say what a read must see. Nothing weaker than asked for may be given in
// silence, so what is not understood, or says two things, is refused.
func readMode(query url.Values) (mode balsa.ReadMode, p *problem) {
	if format := query.Get("format"); query.Has("format") && format != "json" && format != "raw" {
		return mode, badRequest("format is raw or json")
	}
	if mode.Consistency, p = consistency(query); p != nil {
		return mode, p
	}
	if query.Has("max_stale") {
		var err error
		mode.MaxStale, err = time.ParseDuration(query.Get("max_stale"))
		if err != nil || mode.MaxStale < time.Millisecond {
			return mode, badRequest("max_stale is a duration from 1ms on, such as max_stale=2s")
		}
		if mode.Consistency != balsa.Stale {
			return mode, badRequest("max_stale belongs to consistency=stale")
		}
	}
	if query.Has("min_revision") {
		revision, err := strconv.ParseUint(query.Get("min_revision"), 10, 64)
		if err != nil {
			return mode, badRequest("min_revision is a revision, a decimal such as min_revision=17")
		}
		mode.MinIndex = raft.Index(revision) // a revision is the index of the entry that made it
	}
	return mode, nil
}

// wording is one way to say what a read must see.
type wording struct {
	parameter, value string
	means            balsa.Consistency
}

// wordings are all of them: ours, and those that users of Consul and rqlite know.
func wordings() []wording {
	return []wording{
		{"consistency", client.ConsistencyLinearizable, balsa.Linearizable},
		{"consistency", client.ConsistencyLease, balsa.Leased},
		{"consistency", client.ConsistencyLeader, balsa.FromLeader},
		{"consistency", client.ConsistencyStale, balsa.Stale},
		{"consistent", "", balsa.Linearizable},
		{"stale", "", balsa.Stale},
		{"level", "strong", balsa.Linearizable},
		{"level", "weak", balsa.FromLeader},
		{"level", "none", balsa.Stale},
	}
}

// consistency returns what the query asks for: Linearizable when it does not say.
func consistency(query url.Values) (asked balsa.Consistency, p *problem) {
	said := ""
	for _, parameter := range []string{"consistency", "consistent", "stale", "level"} {
		if !query.Has(parameter) {
			continue
		}
		at := slices.IndexFunc(wordings(), func(w wording) bool {
			return w.parameter == parameter && w.value == query.Get(parameter)
		})
		if at < 0 {
			return asked, unknownConsistency(parameter, query.Get(parameter))
		}
		means := wordings()[at].means
		if said != "" && means != asked {
			return asked, badRequest("the parameters %q and %q ask for different things", said, parameter)
		}
		said, asked = parameter, means
	}
	return asked, nil
}

func unknownConsistency(parameter, value string) *problem {
	switch parameter {
	case "consistency":
		return badRequest("this version does not offer consistency=%q, "+
			"only linearizable, lease, leader and stale", value)
	case "level":
		return badRequest("this version does not offer level=%q, only strong, weak and none", value)
	}
	return badRequest("the parameter %q takes no value", parameter)
}

// readProblem words an error for a read: there is no command that could have been applied.
func readProblem(err error) *problem {
	p := nodeProblem(err)
	p.unknown = false
	var e *balsa.Error
	if !errors.As(err, &e) {
		return p
	}
	p.message = reason(e)
	if e.Cause != nil { // it says enough
		p.message = firstLine(e.Reason())
	}
	return p
}
