package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"

	"balsa"
	"balsa/raft"
	"balsa/transport/tcp"

	"github.com/spf13/pflag"
)

// messageFlags say how a node speaks with its peers.
type messageFlags struct {
	transport                   string
	byHand                      bool
	certificate, key, authority string // files
}

func (f *messageFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.transport, "transport", "",
		"how messages travel between nodes, the same on all: tcp (binary, the default) or http (JSON, to be "+
			"read on the wire; the default with --raft-by-hand)")
	flags.BoolVar(&f.byHand, "raft-by-hand", false,
		"take Raft messages that a person writes; never on an open network")
	flags.StringVar(&f.certificate, "tls-cert", "",
		"certificate of this node for its peers, PEM, with the DNS name node-ID; with --tls-key and --tls-ca")
	flags.StringVar(&f.key, "tls-key", "", "its private key, PEM")
	flags.StringVar(&f.authority, "tls-ca", "",
		"certificates of the authority that signs those of all nodes, PEM")
}

// check sets how the node speaks with the others.
func (f *messageFlags) check(c *balsa.Config, wrong *mistakes) {
	switch {
	case f.transport != "" && f.transport != "tcp" && f.transport != "http":
		wrong.add("--transport is %q: write tcp or http", f.transport)
	case f.byHand && f.transport == "tcp":
		wrong.add("--raft-by-hand needs --transport http: a person cannot write binary messages")
	case f.byHand:
		c.Messages = balsa.ByHand
	case f.transport == "http":
		c.Messages = balsa.JSON
	}
	named := f.certificate != "" && f.key != "" && f.authority != ""
	switch {
	case f.certificate == "" && f.key == "" && f.authority == "":
	case !named:
		wrong.add("--tls-cert, --tls-key and --tls-ca belong together: name all three")
	case c.Messages != balsa.Binary:
		wrong.add("--tls-cert needs --transport tcp")
	default:
		f.load(c, wrong)
	}
}

// load reads what the node proves to its peers who it is with.
func (f *messageFlags) load(c *balsa.Config, wrong *mistakes) {
	own, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		wrong.add("--tls-cert and --tls-key: %w", err)
		return
	}
	if name := tcp.NodeName(c.ID); c.ID != raft.None && !slices.Contains(own.Leaf.DNSNames, name) {
		wrong.add("--tls-cert: %s is not for this node: it needs the DNS name %s, and has %q",
			f.certificate, name, own.Leaf.DNSNames)
		return
	}
	pem, err := os.ReadFile(f.authority)
	if err != nil {
		wrong.add("--tls-ca: %w", err)
		return
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		wrong.add("--tls-ca: %s has no certificate in it that can be read", f.authority)
		return
	}
	c.TLS = &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: pool}
}
