package tcp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport"
	"balsa/transport/transporttest"
)

// authority signs the certificates of a test.
type authority struct {
	t           *testing.T
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, pool: x509.NewCertPool()}
	a.key = a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.certificate = a.sign(template, template, &a.key.PublicKey)
	a.pool.AddCert(a.certificate)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) sign(template, parent *x509.Certificate, key *ecdsa.PublicKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made
}

// issue makes the configuration of somebody with these names.
func (a *authority) issue(names ...string) *tls.Config {
	key := a.newKey()
	made := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: names, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, &key.PublicKey)
	return &tls.Config{RootCAs: a.pool, Certificates: []tls.Certificate{
		{Certificate: [][]byte{made.Raw}, PrivateKey: key, Leaf: made},
	}}
}

func TestSuiteUnderTLS(t *testing.T) {
	a := newAuthority(t)
	transporttest.Run(t, suite(func(c *Config) { c.TLS = a.issue(NodeName(c.Self.Node)) }))
}

// Both ends must be who they say, by the very name; whoever is not gets nothing, and is not heard.
func TestACertificateNamesItsNode(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	as := func(c *tls.Config) func(*Config) { return func(config *Config) { config.TLS = c } }
	for _, c := range []struct {
		what      string
		dials, is func(*Config)
		want      string
	}{
		{"both as they say", as(a.issue("node-1")), as(a.issue("node-2")), "heard"},
		{"among other names", as(a.issue("x", "node-1")), as(a.issue("node-2", "y")), "heard"},
		{"the one dialled is another", as(a.issue("node-1")), as(a.issue("node-3")), "fails"},
		{"the one that dials is another", as(a.issue("node-3")), as(a.issue("node-2")), "refused"},
		{"it has a longer name", as(a.issue("node-11")), as(a.issue("node-2")), "refused"},
		{"it has a pattern for a name", as(a.issue("*")), as(a.issue("node-2")), "refused"},
		{"of another authority", as(stranger.issue("node-1")), as(a.issue("node-2")), "fails"},
		{"without TLS", nil, as(a.issue("node-2")), "fails"},
		{"to one without TLS", as(a.issue("node-1")), nil, "fails"},
	} {
		is := start(t, 2, c.is)
		dials := start(t, 1, c.dials)
		dials.Route(map[raft.NodeID]string{2: is.Address()})
		dials.ask(t, 2)
		switch c.want {
		case "heard":
			is.hears(t)
		case "refused":
			if e := dials.hears(t); e.Message != (raft.Message(raft.IdentityRefused{Why: raft.NoIdentity})) {
				t.Errorf("%s: told %+v", c.what, e)
			}
		default:
			var back *transport.Undelivered
			if err := dials.fails(t); !errors.As(err, &back) {
				t.Errorf("%s: told %v", c.what, err)
			}
		}
		if len(is.heard) > 0 {
			t.Errorf("%s: heard %+v", c.what, <-is.heard)
		}
	}
}

func TestTLSIsWhole(t *testing.T) {
	a := newAuthority(t)
	whole := a.issue("node-1")
	for what, change := range map[string]func(*tls.Config){
		"no certificate":  func(c *tls.Config) { c.Certificates = nil },
		"no authority":    func(c *tls.Config) { c.RootCAs = nil },
		"no verification": func(c *tls.Config) { c.InsecureSkipVerify = true },
		"others for some": func(c *tls.Config) {
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
		},
	} {
		c := whole.Clone()
		change(c)
		if _, err := New(Config{Self: transporttest.Identity(1), TLS: c}); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	secured, err := Secure(whole)
	if err != nil || secured.MinVersion != tls.VersionTLS13 ||
		secured.ClientAuth != tls.RequireAndVerifyClientCert || secured.ClientCAs != a.pool {
		t.Errorf("made %+v, %v", secured, err)
	}
}
