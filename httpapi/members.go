package httpapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

// Changes of the membership. Each waits until the change is complete, so that whoever is answered can go on
// with the next; what is asked for and holds already is no error, so that whoever lost an answer can ask
// again.

// maxMembers bounds the body of a change, in bytes: with room for the ids of all members there can be.
const maxMembers = 64 << 10

// addMember adds a node as a learner.
func addMember(c *call) *problem {
	reach, p := c.toLeader()
	if p != nil {
		return p
	}
	var request client.MemberRequest
	if p := c.decode(&request, `{"id":4,"incarnation":"1f","address":"10.0.0.4:7001"}`); p != nil {
		return p
	}
	incarnation, err := strconv.ParseUint(request.Incarnation, 16, 64)
	if err != nil || incarnation == 0 || request.ID == 0 {
		return badRequest(`a member has a positive "id" and the "incarnation" of its data directory, in `+
			`hexadecimal, as its %s says`, client.PathStatus)
	}
	if p := reachable(request.Address, request.API); p != nil {
		return p
	}
	if p := c.supports(request.Version); p != nil {
		return p
	}
	m := raft.Member{ID: raft.NodeID(request.ID), Address: request.Address, API: request.API,
		Incarnation: raft.Incarnation(incarnation)}
	add := raft.Change{Add: []raft.Member{m}, AutoPromote: request.AutoPromote}
	index, err := c.api.node.ChangeMembership(c.ctx, add)
	switch {
	case refusalOf(err) != raft.AlreadyMember:
		return c.changed(index, err, reach)
	case c.isMember(m):
		return c.change(raft.Change{Update: []raft.Member{m}, AutoPromote: request.AutoPromote}, reach)
	}
	p = nodeProblem(err)
	p.message = fmt.Sprintf("another data directory is the member %v: give this one an id of its own, or, "+
		"if that one is lost, run: balsa member replace %[1]v", m.ID)
	return p
}

// isMember reports whether the member of that id is that data directory.
func (c *call) isMember(m raft.Member) bool {
	members, _ := c.api.node.Members()
	known, is := members.Member(m.ID)
	return is && known.Incarnation == m.Incarnation
}

// supports refuses a node whose program is too old for what the log of this cluster may hold: it would stop
// as soon as it learns of it.
func (c *call) supports(version uint32) *problem {
	if version == 0 || version >= c.status.Version {
		return nil
	}
	return &problem{status: http.StatusConflict, code: client.CodeVersionUnsupported,
		message: fmt.Sprintf("the cluster is at version %d, and the program of the node supports version "+
			"%d: run a later one there", c.status.Version, version)}
}

// updateMember changes a member's role or addresses.
func updateMember(c *call) *problem {
	reach, id, p := c.aMember()
	if p != nil {
		return p
	}
	if c.query.Has("force") || c.query.Has("incarnation") {
		return badRequest(`"force" is part of the body, as in {"role":"voter","force":true}; "incarnation" ` +
			`belongs to DELETE`)
	}
	var patch client.MemberPatch
	if p := c.decode(&patch, `{"role":"voter"}`); p != nil {
		return p
	}
	if p := reachable(patch.Address, patch.API); p != nil {
		return p
	}
	change := raft.Change{AutoPromote: patch.AutoPromote, Force: patch.Force,
		Update: []raft.Member{{ID: id, Address: patch.Address, API: patch.API}}}
	members, _ := c.api.node.Members()
	votes := slices.Contains(members.Voters, id)
	switch {
	case patch.Role != "" && patch.Role != client.RoleVoter && patch.Role != client.RoleLearner:
		return badRequest(`"role" is %q or %q`, client.RoleVoter, client.RoleLearner)
	case patch.Role == client.RoleVoter && !votes:
		change.Promote = []raft.NodeID{id}
	case patch.Role == client.RoleLearner && votes:
		change.Demote = []raft.NodeID{id}
	case patch == client.MemberPatch{Force: patch.Force}:
		return badRequest(`say what is to be changed, as in {"role":"voter"}`)
	}
	if _, is := members.Member(id); !is && c.status.Role == raft.Leader {
		return noMember(id)
	}
	return c.change(change, reach)
}

func noMember(id raft.NodeID) *problem {
	return &problem{status: http.StatusNotFound, code: client.CodeMemberNotFound,
		message: fmt.Sprintf("node %v is no member: balsa member list shows who is; nothing was changed", id)}
}

// reachable refuses where nobody could be reached: the members would call there from then on. Empty is for
// the leader to judge, who knows what it had.
func reachable(address, api string) *problem {
	host, port, err := net.SplitHostPort(address)
	number, notPort := strconv.ParseUint(port, 10, 16)
	if address != "" && (err != nil || notPort != nil || host == "" || number == 0) {
		return badRequest(`"address" is %q: write where peers reach the node as host:port`, address)
	}
	u, err := url.Parse(api)
	if api != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
		u.Scheme+"://"+u.Host != api) {
		return badRequest(`"api" is %q: write where clients reach the node as http://host:port`, api)
	}
	return nil
}

// aMember reads the id of the member in the path.
func (c *call) aMember() (reach, raft.NodeID, *problem) {
	reach, p := c.toLeader()
	if p != nil {
		return reach, raft.None, p
	}
	id, err := strconv.ParseUint(c.key, 10, 64)
	if err != nil || id == 0 {
		return reach, raft.None, badRequest("the id of a member is a decimal, as in %s4", client.PathMember)
	}
	return reach, raft.NodeID(id), nil
}

// removeMember removes a member. With ?incarnation only if it still is that data directory: a request that
// was long on its way must not remove the one that has taken its place.
func removeMember(c *call) *problem {
	reach, id, p := c.aMember()
	if p != nil {
		return p
	}
	force := c.query.Has("force")
	if c.query.Get("force") != "" {
		return badRequest("the parameter \"force\" takes no value")
	}
	if p := c.noBody(); p != nil {
		return p
	}
	members, _ := c.api.node.Members()
	if _, is := members.Member(id); !is && c.status.Role == raft.Leader {
		return noMember(id)
	}
	if c.query.Has("incarnation") {
		meant, err := strconv.ParseUint(c.query.Get("incarnation"), 16, 64)
		if err != nil || meant == 0 {
			return badRequest("incarnation is a number in hexadecimal")
		}
		m := raft.Member{ID: id, Incarnation: raft.Incarnation(meant)}
		if c.status.Role == raft.Leader && !c.isMember(m) {
			return noMember(id)
		}
	}
	return c.change(raft.Change{Remove: []raft.NodeID{id}, Force: force}, reach)
}

// setVoters makes one change, through one joint configuration, of whatever the voters are.
func setVoters(c *call) *problem {
	reach, p := c.toLeader()
	if p != nil {
		return p
	}
	var request client.VotersRequest
	if p := c.decode(&request, `{"voters":[1,2,4]}`); p != nil {
		return p
	}
	members, _ := c.api.node.Members()
	change := raft.Change{Force: request.Force}
	named := slices.Concat(request.Voters, request.Learners)
	for i, id := range named {
		switch {
		case !slices.Contains(named[:i], id):
		case slices.Contains(request.Voters, id) && slices.Contains(request.Learners, id):
			return badRequest("node %d is in both lists", id)
		default: // somebody else was meant, and would be removed
			return badRequest("node %d is named twice", id)
		}
	}
	for _, id := range named {
		if _, is := members.Member(raft.NodeID(id)); !is && c.status.Role == raft.Leader {
			p := noMember(raft.NodeID(id))
			p.message = fmt.Sprintf("node %d is no member: add it first, as a learner; nothing was changed",
				id)
			return p
		}
	}
	for _, id := range request.Voters {
		if !slices.Contains(members.Voters, raft.NodeID(id)) {
			change.Promote = append(change.Promote, raft.NodeID(id))
		}
	}
	for _, id := range members.Voters {
		switch {
		case slices.Contains(request.Learners, uint64(id)):
			change.Demote = append(change.Demote, id)
		case !slices.Contains(request.Voters, uint64(id)):
			change.Remove = append(change.Remove, id)
		}
	}
	return c.change(change, reach)
}

// updateCluster changes what concerns all members.
func updateCluster(c *call) *problem {
	reach, p := c.toLeader()
	if p != nil {
		return p
	}
	if c.query.Has("stale") {
		return misplaced("stale")
	}
	var patch client.ClusterPatch
	if p := c.decode(&patch, `{"auto_promote":true}`); p != nil {
		return p
	}
	if patch == (client.ClusterPatch{}) {
		return badRequest(`say what is to be changed, as in {"auto_promote":true}`)
	}
	return c.change(raft.Change{AutoPromote: patch.AutoPromote, LeaseDrift: patch.LeaseDrift}, reach)
}

// transferLeadership has this leader hand over.
func transferLeadership(c *call) *problem {
	reach, p := c.toLeader()
	if p != nil {
		return p
	}
	var request client.TransferRequest
	body, p := c.body(maxSession)
	if p != nil {
		return p
	}
	if len(body) > 0 {
		if err := decodeJSON(body, &request, `{"to":2}`); err != nil {
			return badRequest("%v", err)
		}
	}
	leader, err := c.api.node.TransferLeadership(c.ctx, raft.NodeID(request.To))
	if err != nil {
		p := nodeProblem(err)
		if p.code == client.CodeNoTarget && request.To != 0 {
			p.message = fmt.Sprintf("node %d cannot take over, as it has no vote or does not answer; node "+
				"%v leads on", request.To, c.status.ID)
		}
		return c.sendOn(p, reach)
	}
	c.json(http.StatusOK, client.TransferBody{Leader: uint64(leader)})
	return nil
}

// decode reads the body of a change.
func (c *call) decode(into any, example string) *problem {
	body, p := c.body(maxMembers)
	if p != nil {
		return p
	}
	if err := decodeJSON(body, into, example); err != nil {
		return badRequest("%v", err)
	}
	return nil
}

// change has the node make a change, and answers.
func (c *call) change(change raft.Change, reach reach) *problem {
	index, err := c.api.node.ChangeMembership(c.ctx, change)
	return c.changed(index, err, reach)
}

// changed answers with the configuration that a change has led to: 202, or 200 if that was there already. The
// leader says so only when no change is open and the configuration is committed.
func (c *call) changed(index raft.Index, err error, reach reach) *problem {
	status := http.StatusAccepted
	if refusalOf(err) == raft.NothingChanged {
		_, index = c.api.node.Members()
		status, err = http.StatusOK, nil
	}
	if err != nil {
		return c.sendOn(nodeProblem(err), reach)
	}
	c.json(status, client.ChangeBody{Configuration: uint64(index)})
	return nil
}

// refusalOf returns why a change was refused; Accepted if it was not, or if nobody knows.
func refusalOf(err error) raft.Refusal {
	var e *balsa.Error
	if errors.As(err, &e) {
		return e.Refusal
	}
	return raft.Accepted
}

// memberRoutes are the routes of this file and of the members' list.
func memberRoutes() []route {
	of := func(path, allow, parameters string, methods map[string]handler) route {
		conditions := map[string]string{}
		for method := range methods {
			conditions[method] = writeConditions + " " + client.HeaderIdempotencyKey
		}
		return route{path: path, methods: methods, allow: allow, patience: defaultTimeout,
			parameters: reachParameters + parameters, conditions: conditions}
	}
	return []route{
		of(client.PathCluster, "GET, HEAD, PATCH", " stale",
			map[string]handler{"GET": showCluster, "HEAD": showCluster, "PATCH": updateCluster}),
		of(client.PathMembers, "POST, PUT", "", map[string]handler{"POST": addMember, "PUT": setVoters}),
		of(client.PathMember, "PATCH, DELETE", " force incarnation",
			map[string]handler{"PATCH": updateMember, "DELETE": removeMember}),
		of(client.PathTransfer, "POST", "", map[string]handler{"POST": transferLeadership}),
	}
}
