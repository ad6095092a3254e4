package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"balsa/client"
	"balsa/disk"
	"balsa/kv"
	"balsa/raft"
	"balsa/snapshot"
)

// inKnownCluster is inCluster with nodes that say where clients reach them.
func inKnownCluster(t *testing.T, test func(*cluster, *client.Client)) {
	inCluster(t, func(c *cluster) {
		c.stop()
		c.known = true
		c.start()
		cl := c.client()
		for i := range 10 {
			if _, err := cl.Put(c.t.Context(), fmt.Sprint("key", i), []byte("value")); err != nil {
				t.Fatal(err)
			}
		}
		advance(time.Second)
		test(c, cl)
	})
}

// All members agree as long as nothing is wrong; one that differs is named, at whatever node it is asked; one
// that is down is missing, and no reason to call the others different.
func TestCheckComparesAllMembers(t *testing.T) {
	inKnownCluster(t, func(c *cluster, cl *client.Client) {
		body, err := cl.Check(c.t.Context())
		if err != nil || body.Differ || body.Missing > 0 || len(body.Members) != 3 || body.Index == 0 {
			t.Fatalf("%+v, %v", body, err)
		}
		for i, m := range body.Members {
			if m.ID != uint64(i+1) || m.Hash != body.Members[0].Hash || m.Bytes == 0 || m.API == "" {
				t.Errorf("%+v", m)
			}
		}
		stray := raft.Entry{Term: 9, Index: 1 << 40, Kind: raft.Normal, Command: kv.Put("stray", []byte("x"))}
		c.stores[3].Apply(stray)
		for range 3 {
			body, err = cl.Check(c.t.Context())
			var e *client.Error
			if !errors.As(err, &e) || e.Code != client.CodeMismatch || e.Status != 500 {
				t.Fatalf("%+v, %v", body, err)
			}
			for _, m := range body.Members {
				if m.Differs != (m.ID == 3) {
					t.Errorf("%+v", m)
				}
			}
		}
		delete(c.apis, "3")
		body, err = cl.Check(c.t.Context())
		if err != nil || body.Missing != 1 || body.Members[2].Error == "" {
			t.Errorf("one is down: %+v, %v", body, err)
		}
	})
}

// The head of the answer is there as soon as the node knows the index: whoever compares need not guess.
func TestAMemberSaysThatItKnowsTheIndex(t *testing.T) {
	inKnownCluster(t, func(c *cluster, _ *client.Client) {
		index := c.nodes[1].Status().Applied + 3
		response, done := c.overPipe("1", fmt.Sprintf("%s?index=%d", client.PathCheck, index))
		defer done()
		if now := c.nodes[1].Status().Applied; now >= index {
			t.Fatalf("the head came only with entry %d", now)
		}
		if err := c.nodes[2].AdvanceTo(c.t.Context(), index); err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, err := body.ReadFrom(response.Body)
		if err != nil || !strings.Contains(body.String(), `"hash":"`) {
			t.Errorf("%v, %s", err, body.String())
		}
	})
}

// overPipe asks a node over a connection, which shows when what is sent.
func (c *cluster) overPipe(node, path string) (response *http.Response, done func()) {
	c.t.Helper()
	near, far := net.Pipe()
	server := Server(c.apis[node])
	go func() { _ = server.Serve(&single{conn: far}) }()
	peer := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil }}}
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, "http://127.0.0.1"+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	response, err = peer.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		c.t.Fatal(response, err)
	}
	return response, func() { response.Body.Close(); server.Close() }
}

// single is a listener of one connection.
type single struct {
	conn net.Conn
	done chan struct{}
}

func (s *single) Accept() (net.Conn, error) {
	if conn := s.conn; conn != nil {
		s.conn, s.done = nil, make(chan struct{})
		return conn, nil
	}
	<-s.done
	return nil, net.ErrClosed
}
func (s *single) Close() error   { close(s.done); return nil }
func (s *single) Addr() net.Addr { return &net.TCPAddr{} }

// A backup comes from whichever node is asked, whole and with its digest; a broken one is an error.
func TestABackupOverHTTP(t *testing.T) {
	inKnownCluster(t, func(c *cluster, cl *client.Client) {
		var file bytes.Buffer
		b, err := cl.Backup(c.t.Context(), &file, 1<<30, client.Stale(0))
		if err != nil || b.Bytes != int64(file.Len()) || b.Digest == "" || b.Index == 0 || b.Node == 0 {
			t.Fatalf("%+v, %v", b, err)
		}
		m := disk.NewMemory()
		m.Plant("file", file.Bytes())
		dir, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		r, err := snapshot.View(dir, "file")
		if err != nil || uint64(r.Info().Last.Index) != b.Index {
			t.Errorf("%v", err)
		}
		c.nodes[1].Close()
		if b, err := cl.Backup(c.t.Context(), &file, 0); err != nil || b.Node == 1 {
			t.Errorf("another node must serve: %+v, %v", b, err)
		}
		if _, err := cl.Backup(c.t.Context(), brokenWriter{}, 0); !errors.Is(err, errBroken) {
			t.Errorf("a full disk: %v", err)
		}
	})
}

// Whoever reads a backup by hand learns from the connection that it broke off: it must not end as a whole one
// does.
func TestABackupThatBreaksOffBreaksTheConnection(t *testing.T) {
	inKnownCluster(t, func(c *cluster, _ *client.Client) {
		response, done := c.overPipe("1", client.PathBackup+"?stale&rate=50")
		defer done()
		advance(time.Second)
		c.nodes[1].Close()
		var body bytes.Buffer
		if _, err := body.ReadFrom(response.Body); err == nil {
			t.Errorf("%d bytes, as if they were all", body.Len())
		}
	})
}

var errBroken = errors.New("no room")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// What is asked for amiss is refused before anything is sent.
func TestMistakesWithTools(t *testing.T) {
	_, h := newNode(t)
	for what, message := range map[string]string{
		"GET /v1/backup?rate=fast": "rate is a number of bytes in a second, such as rate=1048576",
		"GET /v1/backup?rate=0":    "rate is a number of bytes in a second, such as rate=1048576",
		"GET /v1/check?index=next": "index is that of an entry, a decimal such as index=17",
		"GET /v1/check?prefix=a":   `the parameter "prefix" is not offered here by this version`,
	} {
		expect(t, h, what, "", http.StatusBadRequest, bad(client.CodeBadRequest, message))
	}
}
