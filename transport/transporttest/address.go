package transporttest

import (
	"net"
	"os"
	"testing"
)

// FreeAddress returns an address that nobody listens on, of a loopback host that is this process's own where
// the system has more than one: with 127.0.0.1 it happens that the tests of another package get the port in
// between.
func FreeAddress(t *testing.T) string {
	t.Helper()
	pid := os.Getpid()
	own := net.IPv4(127, 1+byte(pid>>16)&0x3f, byte(pid>>8), byte(pid)).String()
	for _, host := range []string{own, "127.0.0.1"} {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, "0")); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no loopback address to listen on")
	return ""
}
