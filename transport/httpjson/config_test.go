package httpjson

import (
	"net"
	"strings"
	"testing"

	"balsa/raft"
	"balsa/transport"
)

func TestStartSaysWhatIsWrongWithTheAddress(t *testing.T) {
	taken := freeListener(t)
	for address, words := range map[string]string{
		taken:              "another program uses this address",
		"203.0.113.7:7001": "this machine has no such address",
		"127.0.0.1:http:x": "give a free host:port",
	} {
		made, err := New(Config{Self: one, Listen: address})
		if err != nil {
			t.Fatal(err)
		}
		err = made.Start(&script{})
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), address) {
			t.Errorf("Start on %s: %v", address, err)
		}
		made.Close()
	}
}

func freeListener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestABadConfigurationIsRefused(t *testing.T) {
	for words, c := range map[string]Config{
		"own id":       {Listen: "127.0.0.1:0"},
		"negative":     {Self: one, Timeout: -1},
		"not be nega":  {Self: one, MaxBody: -1},
		"not host:por": {Self: one, Peers: map[raft.NodeID]string{2: "localhost"}},
		`"nowhere" of`: {
			Self: one, Peers: map[raft.NodeID]string{2: "127.0.0.1:1"},
			Dial: map[raft.NodeID]string{2: "nowhere"},
		},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestStartIsCalledOnce(t *testing.T) {
	n := start(t, Config{}, keepSilent)
	if n.Start(n.script) == nil {
		t.Error("started twice")
	}
	made, err := New(Config{Self: one, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if made.Address() != "" {
		t.Error("an address before Start")
	}
	made.Close()
	if err := made.Start(n.script); err != transport.ErrClosed {
		t.Errorf("Start after Close: %v", err)
	}
}
