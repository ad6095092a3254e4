package httpapi

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

// showCluster says who the members are and how they are. The leader knows, once it has made sure that it
// leads: one that was cut off would call those silent who follow another. With ?stale any node answers what
// it knows by itself.
func showCluster(c *call) *problem {
	if c.query.Has("stale") {
		if c.query.Get("stale") != "" {
			return badRequest("the parameter \"stale\" takes no value")
		}
		c.w.Header().Set(client.HeaderConsistency, client.ConsistencyStale)
		c.showContact(c.status.Contact)
		c.json(http.StatusOK, c.clusterBody(c.status))
		return nil
	}
	reach, p := c.toLeader()
	if p != nil {
		return p
	}
	if _, err := c.api.node.Read(c.ctx, balsa.ReadMode{Local: true}); err != nil {
		return c.sendOn(readProblem(err), reach)
	}
	status, answered := c.api.probe.ask(c.ctx) // what it knows now, and not what it knew before it made sure
	if !answered || status.Role != raft.Leader {
		return &problem{status: http.StatusServiceUnavailable, code: client.CodeLeaderChanged,
			message: "the node has stopped leading in this moment", retry: electionRetry}
	}
	c.w.Header().Set(client.HeaderConsistency, client.ConsistencyLinearizable)
	c.json(http.StatusOK, c.clusterBody(status))
	return nil
}

// toLeader is checkReach for what only the leader itself can do, as nothing of it is forwarded: unless the
// request is to stay here, it is sent on.
func (c *call) toLeader() (reach, *problem) {
	asked, p := c.checkReach()
	if p != nil || asked == onlyLocal {
		return asked, p
	}
	if c.status.Role != raft.Leader && c.status.Leader != raft.None {
		return redirect, c.sendOn(readProblem(c.notLeader()), redirect)
	}
	return redirect, nil
}

func (c *call) clusterBody(s balsa.Status) client.Cluster {
	body := client.Cluster{
		Cluster:    s.Cluster.String(),
		Node:       uint64(s.ID),
		Leader:     uint64(s.Leader),
		Term:       uint64(s.Term),
		Commit:     uint64(s.Commit),
		InForce:    inForce(s),
		TransferTo: uint64(s.TransferTo),
		Repair:     repairBody(s),
		Members:    []client.Member{},
	}
	peers := s.Peers
	if s.Standing != balsa.Outsider {
		own := balsa.Peer{ID: s.ID, Address: s.Address, API: s.API, Incarnation: s.Incarnation,
			Standing: s.Standing, Match: s.Durable, Contact: -1}
		peers = append(slices.Clone(peers), own)
		slices.SortFunc(peers, func(a, b balsa.Peer) int { return cmp.Compare(a.ID, b.ID) })
	}
	for _, p := range peers {
		body.Members = append(body.Members, memberBody(s, p))
	}
	if s.Role == raft.Leader {
		tolerance := failureTolerance(body)
		body.FailureTolerance = &tolerance
	}
	return body
}

func memberBody(s balsa.Status, p balsa.Peer) client.Member {
	m := client.Member{
		ID:        uint64(p.ID),
		Role:      p.Standing.String(),
		Address:   p.Address,
		API:       p.API,
		Leader:    p.ID == s.Leader,
		Match:     uint64(p.Match),
		Lag:       uint64(p.Lag),
		LagBytes:  p.LagBytes,
		ContactMS: milliseconds(p.Contact),
		Health:    health(s, p),
	}
	if p.Incarnation != 0 {
		m.Incarnation = strconv.FormatUint(uint64(p.Incarnation), 16)
	}
	if p.Installing {
		m.Installing = &client.Installing{Offset: p.Offset, Size: p.Size}
	}
	return m
}

// silentAfter is how long a member may leave the leader without an answer until it is called silent: longer
// than any pause of a node that is merely busy.
const silentAfter = time.Second

func health(s balsa.Status, p balsa.Peer) string {
	switch {
	case slices.Contains(s.Repair.Servers, p.ID):
		return client.HealthRepairing
	case s.Role != raft.Leader:
		return client.HealthUnknown
	case p.ID == s.ID:
		return client.HealthOK
	case p.Contact < 0 || p.Contact >= silentAfter:
		return client.HealthSilent
	case p.Installing || p.Lag > maxBehind:
		return client.HealthBehind
	}
	return client.HealthOK
}

// failureTolerance is how many more voters may fail: while the voters change, it is the smaller of what both
// halves can do without, as each of them must decide (§6).
func failureTolerance(c client.Cluster) int {
	spare := func(roles ...string) int {
		voters, answer := 0, 0
		for _, m := range c.Members {
			if slices.Contains(roles, m.Role) {
				voters++
				if m.Health != client.HealthSilent && m.Health != client.HealthRepairing {
					answer++
				}
			}
		}
		return max(0, answer-(voters/2+1))
	}
	if !c.Joint {
		return spare(client.RoleVoter)
	}
	return min(spare(client.RoleVoter, client.RoleJoining), spare(client.RoleVoter, client.RoleLeaving))
}
