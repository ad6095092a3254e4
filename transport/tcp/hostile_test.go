package tcp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"balsa/raft"
	"balsa/transport"
	"balsa/transport/transporttest"
	"balsa/wire"
)

const patience = 10 * time.Second

// node is a transport with a handler that keeps what it hears.
type node struct {
	*Transport
	heard  chan raft.Envelope
	failed chan error
}

func (n *node) Receive(e raft.Envelope)          { n.heard <- e }
func (n *node) Failed(_ raft.NodeID, err error)  { n.failed <- err }
func (n *node) ask(t *testing.T, to raft.NodeID) { n.say(t, to, raft.RequestVote{Term: 1}) }

func (n *node) say(t *testing.T, to raft.NodeID, m raft.Message) {
	t.Helper()
	if err := n.Send(raft.Envelope{From: n.config.Self, To: to, Sequence: 7, Message: m}); err != nil {
		t.Fatal(err)
	}
}

// hears waits for the next message.
func (n *node) hears(t *testing.T) raft.Envelope {
	t.Helper()
	select {
	case e := <-n.heard:
		return e
	case <-time.After(patience):
		t.Fatal("nothing is heard")
		return raft.Envelope{}
	}
}

// fails waits for the next failure.
func (n *node) fails(t *testing.T) error {
	t.Helper()
	select {
	case err := <-n.failed:
		return err
	case <-time.After(patience):
		t.Fatal("nothing fails")
		return nil
	}
}

func start(t *testing.T, id raft.NodeID, change func(*Config)) *node {
	t.Helper()
	config := Config{Self: transporttest.Identity(id), Listen: transporttest.FreeAddress(t)}
	if change != nil {
		change(&config)
	}
	made, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{made, make(chan raft.Envelope, 1000), make(chan error, 1000)}
	if err := n.Start(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// calls connects as a stranger, and says something.
func calls(t *testing.T, n *node, says []byte) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", n.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write(says); err != nil {
		t.Fatal(err)
	}
	return conn
}

// answer returns all that is said to a stranger until he is cut off.
func answer(t *testing.T, conn net.Conn) (said []wire.Streamed) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	all, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("he is not cut off: %v", err)
	}
	for len(all) > 0 {
		length, _, err := wire.StreamLength(all)
		if err != nil {
			t.Fatal(err)
		}
		s, err := wire.DecodeStreamed(all[:length])
		if err != nil {
			t.Fatal(err)
		}
		said, all = append(said, s), all[length:]
	}
	return said
}

// introduced is what somebody says who takes this for node 1.
func introduced(who raft.Identity, to raft.NodeID, messages ...raft.Message) []byte {
	said := wire.AppendIntroduction(nil, wire.Introduction{From: who, To: to})
	for _, m := range messages {
		said = wire.AppendStreamed(said, 1, m)
	}
	return said
}

// Who is not of this cluster, or looks for another node, is told so, and nothing else of him is read.
func TestStrangersAreToldAndCutOff(t *testing.T) {
	n := start(t, 1, nil)
	other, nobody := transporttest.Identity(2), transporttest.Identity(2)
	other.Cluster[3], nobody.Cluster = 9, raft.ClusterID{}
	for _, c := range []struct {
		who  raft.Identity
		to   raft.NodeID
		want raft.IdentityReason
	}{
		{other, 1, raft.OtherCluster},
		{transporttest.Identity(2), 3, raft.OtherReceiver},
		{transporttest.Identity(1), 1, raft.SameID},
		{nobody, 1, raft.NoIdentity},
		{raft.Identity{Cluster: other.Cluster}, 1, raft.NoIdentity},
	} {
		said := answer(t, calls(t, n, introduced(c.who, c.to, raft.RequestVote{Term: 9})))
		if len(said) != 2 || said[0].Introduction.From != n.config.Self ||
			said[1].Message != (raft.Message(raft.IdentityRefused{Why: c.want})) {
			t.Errorf("%+v for %v is told %+v", c.who, c.to, said)
		}
	}
	if len(n.heard) > 0 {
		t.Errorf("%+v is heard", <-n.heard)
	}
}

// Whoever says something else than a node is cut off, whatever it is.
func TestNonsenseIsCutOff(t *testing.T) {
	n := start(t, 1, nil)
	whole := introduced(transporttest.Identity(2), 1, raft.RequestVote{Term: 1})
	damaged := bytes.Clone(whole)
	damaged[len(damaged)-1] ^= 1
	later := transporttest.Identity(2)
	later.Cluster[3] = 9
	changes := append(introduced(transporttest.Identity(2), 1), introduced(later, 1, raft.RequestVote{})...)
	big := raft.AppendEntries{Entries: []raft.Entry{{Kind: raft.Normal, Command: make([]byte, 2000)}}}
	for what, says := range map[string][]byte{
		"a request of HTTP":        []byte("POST /raft/pre_vote HTTP/1.1\r\nHost: x\r\n\r\n{}"),
		"a message before a name":  wire.AppendStreamed(nil, 1, raft.RequestVote{Term: 1}),
		"a long message before it": wire.AppendStreamed(nil, 1, big),
		"a bit turned over":        damaged,
		"another cluster later":    changes,
	} {
		for _, s := range answer(t, calls(t, n, says)) {
			if s.Message != nil {
				t.Errorf("%s is answered %+v", what, s)
			}
		}
	}
	if len(n.heard) > 0 {
		t.Errorf("%+v is heard", <-n.heard)
	}
}

// Memory is taken for what has come, not for what was announced.
func TestAnAnnouncementCostsNothing(t *testing.T) {
	n := start(t, 1, nil)
	whole := wire.AppendStreamed(nil, 1, raft.AppendEntries{Entries: []raft.Entry{
		{Term: 1, Index: 1, Kind: raft.Normal, Command: make([]byte, wire.MaxCommand-1)}}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		calls(t, n, append(introduced(transporttest.Identity(2), 1), whole[:100]...))
	}
	n.haveGuests(t, 20)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
		t.Errorf("20 announcements of 64 MiB took %d MiB", grown>>20)
	}
}

// Those who announce much and send nothing keep nobody's long messages out: what has come is counted.
func TestAnnouncementsTakeNoRoom(t *testing.T) {
	n := start(t, 1, nil)
	appending := func(size int) raft.AppendEntries {
		return raft.AppendEntries{Entries: []raft.Entry{{Kind: raft.Normal, Command: make([]byte, size)}}}
	}
	announced := wire.AppendStreamed(nil, 1, appending(wire.MaxCommand-1))[:100]
	const many = maxCrowd/atOnce + 5
	for range many {
		calls(t, n, append(introduced(transporttest.Identity(3), 1), announced...))
	}
	transporttest.Eventually(t, "what all have sent is counted, and no more", func() bool {
		return n.crowd.Load() == many*int64(len(announced))
	})
	calls(t, n, introduced(transporttest.Identity(2), 1, appending(100<<10)))
	n.hears(t)
}

// haveGuests waits until there are so many.
func (n *node) haveGuests(t *testing.T, many int) {
	t.Helper()
	transporttest.Eventually(t, "the number of guests is right", func() bool {
		n.guests.mutex.RLock()
		defer n.guests.mutex.RUnlock()
		return len(n.guests.here) == many
	})
}

// There are only so many guests, and those who are silent leave by themselves; what they had is free again.
func TestGuestsAreCounted(t *testing.T) {
	n := start(t, 1, nil)
	hello := introduced(transporttest.Identity(2), 1)
	var silent []net.Conn
	for range maxGuests {
		silent = append(silent, calls(t, n, hello))
	}
	n.haveGuests(t, maxGuests)
	transporttest.Eventually(t, "all are met", func() bool {
		n.guests.mutex.RLock()
		defer n.guests.mutex.RUnlock()
		return n.guests.met == maxGuests
	})
	answer(t, calls(t, n, nil)) // one more is turned away at once
	for _, c := range silent {
		c.Close()
	}
	n.haveGuests(t, 0)
	conn := calls(t, n, append(hello, wire.AppendStreamed(nil, 1, raft.RequestVote{Term: 1})...))
	defer conn.Close()
	if e := n.hears(t); e.From != transporttest.Identity(2) {
		t.Errorf("heard %+v", e)
	}
}

// Strangers who say nothing do not keep a peer out: the first of them makes room.
func TestStrangersMakeRoom(t *testing.T) {
	n := start(t, 1, nil)
	first := calls(t, n, nil)
	n.haveGuests(t, 1)
	for range maxGuests - 1 {
		calls(t, n, nil)
	}
	n.haveGuests(t, maxGuests)
	calls(t, n, introduced(transporttest.Identity(2), 1, raft.RequestVote{Term: 1}))
	n.hears(t)
	answer(t, first)
	n.haveGuests(t, maxGuests)
}

// Who dials a node of another cluster, at an address that was another's, hears so and sends it nothing.
func TestAnotherClusterAtAPeersAddress(t *testing.T) {
	other := start(t, 2, func(c *Config) { c.Self.Cluster[3] = 9 })
	n := start(t, 1, func(c *Config) { c.Peers = map[raft.NodeID]string{2: other.Address()} })
	n.ask(t, 2)
	if e := n.hears(t); e.Message != (raft.Message(raft.IdentityRefused{Why: raft.OtherCluster})) ||
		e.From != other.config.Self || e.Sequence != 7 {
		t.Errorf("heard %+v", e)
	}
	err := n.fails(t)
	var back *transport.Undelivered
	if !errors.Is(err, transport.ErrRefused) || !errors.As(err, &back) {
		t.Errorf("told %v", err)
	}
	if len(other.heard) > 0 {
		t.Errorf("the other cluster heard %+v", <-other.heard)
	}
}

// The answer to a request goes to the connection that it came by, whoever else has the same id.
func TestAnswersGoToWhoAsked(t *testing.T) {
	n := start(t, 1, nil)
	one := calls(t, n, introduced(transporttest.Identity(2), 1, raft.RequestVote{Term: 5}))
	first := n.hears(t)
	two := calls(t, n, introduced(transporttest.Identity(2), 1, raft.RequestVote{Term: 6}))
	second := n.hears(t)
	for _, e := range []raft.Envelope{second, first, first} { // the last is answered twice
		m := raft.RequestVoteResponse{Term: e.Message.(raft.RequestVote).Term}
		err := n.Send(raft.Envelope{From: n.config.Self, To: 2, Sequence: e.Sequence, Message: m})
		if err != nil && !errors.Is(err, transport.ErrTimeout) {
			t.Fatal(err)
		}
	}
	for conn, term := range map[net.Conn]raft.Term{one: 5, two: 6} {
		conn.SetReadDeadline(time.Now().Add(patience))
		r := newReader(conn, &n.crowd)
		for range 2 {
			s, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			if m, is := s.Message.(raft.RequestVoteResponse); is && m.Term != term {
				t.Errorf("who asked in term %d is told of term %d", term, m.Term)
			}
		}
	}
}
