package transporttest

import (
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddress returns an address that nobody listens on, of a loopback host of its own where the system has
// more than one: with the same host it happens that another test gets the port in between.
func FreeAddress(t *testing.T) string {
	t.Helper()
	n := rand.Uint32()
	own := net.IPv4(127, 1+byte(n>>16)&0x3f, byte(n>>8), 1+byte(n)&0x7f).String()
	for _, host := range []string{own, "127.0.0.1"} {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, "0")); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no loopback address to listen on")
	return ""
}
