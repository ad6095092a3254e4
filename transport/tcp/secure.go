package tcp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"

	"balsa/raft"
)

// NodeName is the name that the certificate of a node bears, as one of its DNS names: "node-3". It must be
// that very name; patterns stand for nobody.
func NodeName(id raft.NodeID) string { return "node-" + id.String() }

// Secure returns the configuration under which nodes speak with each other, made of one that has the
// certificate of the node (Certificates or GetCertificate, and GetClientCertificate if the latter) and the
// authority that signs those of all (RootCAs and ClientCAs; one of the two serves for both). TLS 1.3 is
// demanded, and a certificate of both ends. An error is a clause about what is missing.
func Secure(given *tls.Config) (*tls.Config, error) {
	c := given.Clone()
	if c.RootCAs == nil {
		c.RootCAs = c.ClientCAs
	}
	if c.ClientCAs == nil {
		c.ClientCAs = c.RootCAs
	}
	switch {
	case len(c.Certificates) == 0 && c.GetCertificate == nil:
		return nil, errors.New("TLS needs a certificate of this node")
	case c.RootCAs == nil: // else any authority that the machine trusts could name a node
		return nil, errors.New("TLS needs the authority that signs the certificates of the nodes")
	case c.InsecureSkipVerify:
		return nil, errors.New("TLS without verification proves nothing: leave InsecureSkipVerify off")
	case c.GetConfigForClient != nil: // which could do without the certificate of whoever connects
		return nil, errors.New("TLS demands the same of all who connect: leave GetConfigForClient off")
	}
	c.MinVersion, c.ClientAuth = tls.VersionTLS13, tls.RequireAndVerifyClientCert
	return c, nil
}

// certificate is what the other end has shown; nil: there is no TLS.
type certificate struct{ shown *x509.Certificate }

// names reports whether the other end has proved to be a node, or need not.
func (c certificate) names(id raft.NodeID) bool {
	return c.shown == nil || slices.Contains(c.shown.DNSNames, NodeName(id))
}

// secured has the peer that was dialled prove who it is. The connection is returned in any case.
func (t *Transport) secured(ctx context.Context, conn net.Conn, id raft.NodeID) (net.Conn, error) {
	if t.config.TLS == nil {
		return conn, nil
	}
	c := t.config.TLS.Clone()
	c.ServerName = NodeName(id)
	client := tls.Client(conn, c)
	if err := client.HandshakeContext(ctx); err != nil {
		return conn, err
	}
	if shown := client.ConnectionState().PeerCertificates[0]; !(certificate{shown}).names(id) {
		return conn, errors.New("its certificate does not name " + NodeName(id))
	}
	return client, nil
}

// admit has whoever connects prove that the authority knows him.
func (t *Transport) admit(ctx context.Context, conn net.Conn) (net.Conn, certificate, error) {
	if t.config.TLS == nil {
		return conn, certificate{}, nil
	}
	server := tls.Server(conn, t.config.TLS)
	if err := server.HandshakeContext(ctx); err != nil {
		return conn, certificate{}, err
	}
	return server, certificate{server.ConnectionState().PeerCertificates[0]}, nil
}
