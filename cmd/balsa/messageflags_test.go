package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certified writes a certificate with its key, signed by itself, into a file.
func certified(t *testing.T, names ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names,
		NotAfter: time.Now().Add(time.Hour)}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	file := filepath.Join(t.TempDir(), "node.pem")
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A node that was given another one's certificate says so, and does not wait for peers that never listen.
func TestACertificateOfAnotherNode(t *testing.T) {
	file := certified(t, "node-2", "node-11")
	got := command(t, "", serveArgs("--tls-cert", file, "--tls-key", file, "--tls-ca", file)...)
	want := `is not for this node: it needs the DNS name node-1, and has ["node-2" "node-11"]`
	if got.status != 2 || !strings.Contains(got.err, want) {
		t.Errorf("status %d, said: %s", got.status, got.err)
	}
}
