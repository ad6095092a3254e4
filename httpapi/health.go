package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

func showStatus(c *call) *problem {
	s, view := c.status, c.api.store.View()
	body := client.Status{
		ID:          uint64(s.ID),
		Cluster:     s.Cluster.String(),
		Incarnation: strconv.FormatUint(uint64(s.Incarnation), 16),
		Start:       s.Start,
		Address:     s.Address,
		API:         s.API,
		Role:        s.Role.String(),
		Term:        uint64(s.Term),
		Leader:      uint64(s.Leader),
		ContactMS:   milliseconds(s.Contact),
		Commit:      uint64(s.Commit),
		Applied:     uint64(s.Applied),
		Durable:     uint64(s.Durable),
		Last:        client.Entry{Term: uint64(s.Last.Term), Index: uint64(s.Last.Index)},
		LogExtent:   extent(s),
		Keys:        uint64(view.Len()),
		Revision:    uint64(view.Revision()),
		Membership:  membershipBody(s),
		Stats:       client.Stats(s.Stats),
	}
	if s.Err != nil {
		body.Stopped = firstLine(s.Err.Error())
	}
	c.setRevision(view.Revision())
	c.json(http.StatusOK, body)
	return nil
}

func membershipBody(s balsa.Status) client.Membership {
	body := client.Membership{
		InForce:    inForce(s),
		Standing:   s.Standing.String(),
		TransferTo: uint64(s.TransferTo),
		Peers:      []client.Peer{},
	}
	for _, p := range s.Peers {
		peer := client.Peer{ID: uint64(p.ID), Address: p.Address, API: p.API, Standing: p.Standing.String(),
			Match: uint64(p.Match), Next: uint64(p.Next)}
		if p.Installing {
			peer.Installing = &client.Installing{Offset: p.Offset, Size: p.Size}
		}
		body.Peers = append(body.Peers, peer)
	}
	return body
}

// inForce is what the configuration in force says of all members.
func inForce(s balsa.Status) client.InForce {
	return client.InForce{Configuration: uint64(s.Configuration), Joint: s.Joint, Version: s.Version,
		AutoPromote: s.AutoPromote, LeaseDrift: s.LeaseDrift, LeaseTimeMS: s.LeaseTime.Milliseconds()}
}

func extent(s balsa.Status) client.LogExtent {
	e := s.LogExtent
	shown := client.LogExtent{
		First:    uint64(e.First),
		Entries:  uint64(e.LogLength),
		LogBytes: uint64(e.LogBytes),
		Snapshot: client.Entry{Term: uint64(e.Snapshot.Term), Index: uint64(e.Snapshot.Index)},
		Repair:   repairBody(s),
	}
	if last := e.LastSnapshot; last.Index > 0 {
		shown.LastSnapshot = &client.Snapshot{
			Index: uint64(last.Index), Size: last.Size, At: last.At.UTC(), TookMS: last.Took.Milliseconds(),
		}
	}
	if e.SnapshotError != nil {
		shown.SnapshotError = firstLine(e.SnapshotError.Error())
	}
	return shown
}

// milliseconds of a duration; -1 for a negative one, which division would turn into 0.
func milliseconds(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

// showLive answers whether the node's loop turns. It looks at nothing else: whoever restarts a node for
// want of a majority makes it worse.
func showLive(c *call) *problem { return c.health(c.checkLoop()) }

// showReady answers whether the node can do its part: it runs, knows a leader, its map is near what is
// committed, and it does not repair itself.
func showReady(c *call) *problem {
	loop := c.checkLoop()
	if !loop.OK {
		return c.health(loop)
	}
	return c.health(loop, c.checkLeader(), c.checkHeard(), c.checkApplied(), c.checkRepair())
}

// checkLoop: a question that the loop did not answer in time has ended the request's time.
func (c *call) checkLoop() client.Check {
	select {
	case <-c.api.node.Done():
		reason := "the node was closed"
		if c.status.Err != nil {
			reason = "the node stopped: " + firstLine(c.status.Err.Error())
		}
		return client.Check{Name: "loop", Reason: reason}
	default:
	}
	if c.ctx.Err() != nil {
		return client.Check{Name: "loop", Reason: "the node's loop does not answer"}
	}
	return client.Check{Name: "loop", OK: true}
}

func (c *call) checkLeader() client.Check {
	if c.status.Leader == raft.None {
		return client.Check{Name: "leader",
			Reason: "no leader is known: an election is on, or a majority is out of reach"}
	}
	return client.Check{Name: "leader", OK: true}
}

// checkHeard: a node to whom the leader, or a majority, does not listen counts for nothing in its cluster,
// however well it hears.
func (c *call) checkHeard() client.Check {
	shunned, why := 0, raft.IdentityReason(0)
	for _, p := range c.status.Peers {
		if p.Shuns == 0 {
			continue
		}
		shunned++
		if why == 0 || p.ID == c.status.Leader {
			why = p.Shuns
		}
		if p.ID == c.status.Leader {
			shunned += len(c.status.Peers) // it is as good as all of them
		}
	}
	if 2*shunned > len(c.status.Peers)+1 {
		reason := fmt.Sprintf("the leader, or a majority, does not listen to this node, which %v", why)
		return client.Check{Name: "heard", Reason: reason}
	}
	return client.Check{Name: "heard", OK: true}
}

// maxBehind is how many committed entries may wait to be applied at a node that calls itself ready.
const maxBehind = 1000

func (c *call) checkApplied() client.Check {
	behind := c.status.Commit - min(c.status.Commit, c.status.Applied)
	if behind > maxBehind {
		reason := fmt.Sprintf("%d committed entries are not applied yet", behind)
		return client.Check{Name: "applied", Reason: reason}
	}
	return client.Check{Name: "applied", OK: true}
}

// health answers 200 if all checks passed and else 503, then with the reasons.
func (c *call) health(checks ...client.Check) *problem {
	body, status := client.Health{Status: "ok", Node: uint64(c.status.ID)}, http.StatusOK
	for _, check := range checks {
		if !check.OK {
			body.Status, status = "failed", http.StatusServiceUnavailable
		}
	}
	if status != http.StatusOK || c.query.Has("verbose") {
		body.Checks = checks
	}
	c.json(status, body)
	return nil
}
