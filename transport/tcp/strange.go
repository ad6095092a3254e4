package tcp

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"

	"balsa/raft"
)

// strange logs that somebody connects who is no node, once for each address. It is given what was read of
// him.
func (t *Transport) strange(conn net.Conn, began []byte, why error) {
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	if t.running.Err() == nil && t.guests.news(host) {
		t.config.Log.Warn("Somebody connects who is no node", "from", host, "why", mistaken(began, why))
	}
}

// mistaken says in words what is the likely mistake of somebody who is not understood: two nodes were told to
// speak in different ways, or a person asks the address for peers.
func mistaken(began []byte, why error) string {
	var plain tls.RecordHeaderError
	verb, path, _ := bytes.Cut(began, []byte(" "))
	http := len(verb) < 8 && bytes.Equal(verb, bytes.ToUpper(verb)) && bytes.HasPrefix(path, []byte("/"))
	switch {
	case errors.As(why, &plain):
		return "it speaks without TLS, and this node with it"
	case len(began) > 1 && began[0] == 22 && began[1] == 3: // a record of a handshake, of version 3
		return "it speaks TLS, and this node does without"
	case http:
		return "it speaks HTTP: clients have another address, and all nodes carry messages in one way"
	case why == nil:
		return "it does not begin with an introduction"
	}
	return why.Error()
}

// against says what this node has against another one.
func against(id raft.NodeID, certified certificate, why raft.IdentityReason) string {
	if id != raft.None && !certified.names(id) {
		return "whose certificate does not name " + NodeName(id)
	}
	return "which " + why.String()
}
