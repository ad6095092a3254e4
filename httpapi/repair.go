package httpapi

import (
	"balsa"
	"balsa/client"
)

// repairBody is who repairs itself after damage; nil when nobody does.
func repairBody(s balsa.Status) *client.Repair {
	if !s.Repair.On && len(s.Repair.Servers) == 0 {
		return nil
	}
	body := &client.Repair{On: s.Repair.On, Floor: uint64(s.Repair.Floor), Nodes: []uint64{},
		Halted: s.Halted()}
	for _, id := range s.Repair.Servers {
		body.Nodes = append(body.Nodes, uint64(id))
	}
	return body
}

// checkRepair: a node that repairs itself counts for nothing, so whoever restarts one node after the other
// must wait for it; and when those that do leave no quorum, no node can do its part.
func (c *call) checkRepair() client.Check {
	if halted := c.status.Halted(); halted != "" {
		return client.Check{Name: "repair", Reason: halted}
	}
	if c.status.Repair.On {
		return client.Check{Name: "repair", Reason: "this node repairs itself after damage of its disk, " +
			"and counts for nothing until the others have brought back what it lost"}
	}
	return client.Check{Name: "repair", OK: true}
}

// explainHalt adds to an answer that there is no leader why there will be none.
func (c *call) explainHalt(p *problem) {
	halted := c.status.Halted()
	if p.code != client.CodeNoLeader || halted == "" {
		return
	}
	p.message += "; " + halted
	if p.whole != "" {
		p.whole += "; " + halted
	}
}
