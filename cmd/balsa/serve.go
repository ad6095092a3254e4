package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"balsa"
	"balsa/httpapi"
	"balsa/kv"
	"balsa/raft"
	"balsa/wal"

	"github.com/spf13/cobra"
)

func serveCommand(c *console) *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run one node of a cluster",
		Long: `Run one node of a cluster until it is told to stop (Ctrl-C or SIGTERM).

It prints one line that begins with "ready" when it serves. A node that cannot write its
log stops by itself, and the exit status is 1: what it acknowledged is on its disk, and
another start finds it.`,
		Example: `  balsa serve --id 1 --data node1 --raft 127.0.0.1:7001 --http 127.0.0.1:8001 \
      --peers 1=127.0.0.1:7001,2=127.0.0.1:7002,3=127.0.0.1:7003
  balsa serve --id 4 --data node4 --raft 127.0.0.1:7004 --http 127.0.0.1:8004 \
      --join http://127.0.0.1:8001`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.settings()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), c, s)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// serve runs a node until the context ends, which is a clean stop, or until the node stops by itself.
func serve(ctx context.Context, c *console, s settings) error {
	signal.Ignore(syscall.SIGPIPE) // who read our lines may go, as head does: a node is not ended by that
	if s.supervised {
		var cancel context.CancelFunc
		ctx, cancel = underSupervision(ctx, c.in)
		defer cancel()
	}
	if len(s.node.Peers) == 0 && len(s.join) == 0 {
		if used, _ := os.ReadDir(s.node.Dir); len(used) == 0 {
			return noPeers(s) // said before a directory is made
		}
	}
	logs := newRelay(c.err)
	defer logs.Close()
	logger := newLogger(logs, s.node.ID, c.paints(c.err), s.level)

	listener, err := listen(s)
	if err != nil {
		return err
	}
	defer listener.Close()
	store := kv.New()
	s.node.StateMachine, s.node.Logger = store, logger
	node, err := open(ctx, s)
	if err != nil {
		return openError(s, err)
	}
	joining, err := keepJoining(ctx, s, node)
	if err != nil {
		return errors.Join(err, node.Close())
	}
	api := httpapi.New(httpapi.Config{Node: node, Store: store, Logger: logger})
	return serveUntil(ctx, c, s, node, listener, httpapi.Server(api), joining)
}

// open opens the node. One that is to join asks for the cluster's id only when its data directory is new.
func open(ctx context.Context, s settings) (*balsa.Node, error) {
	node, err := balsa.Open(s.node)
	if len(s.join) == 0 || !errors.Is(err, wal.ErrNotInitialized) {
		return node, err
	}
	j, err := newJoiner(s)
	if err != nil {
		return nil, err
	}
	defer j.cluster.Close()
	if s.node.Joins, err = j.identify(ctx); err != nil {
		return nil, fail(exitUnavailable, "--join: %w", err)
	}
	return balsa.Open(s.node)
}

// underSupervision ties a node to its parent: it stops when standard input closes, which happens even when
// the parent is killed, and leaves Ctrl-C, which a terminal sends to both, to the parent.
func underSupervision(ctx context.Context, in io.Reader) (context.Context, context.CancelFunc) {
	signal.Ignore(os.Interrupt)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx, cancel
}

// listen takes the address for clients and looks at the one for peers, before anything on the disk is
// touched: a node that finds its port taken leaves no half-made data directory behind.
func listen(s settings) (net.Listener, error) {
	if address := s.raft(); address != "" {
		if err := probe(address); err != nil {
			return nil, addressError("--raft", address, err)
		}
	}
	listener, err := net.Listen("tcp", s.http)
	if err != nil {
		return nil, addressError("--http", s.http, err)
	}
	return listener, nil
}

// serveUntil serves clients and says so, until one of these ends: the context, the node, the server, the
// hope to join the cluster.
func serveUntil(ctx context.Context, c *console, s settings, node *balsa.Node, listener net.Listener,
	server *http.Server, joining joining) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	status := node.Status()
	fmt.Fprintf(c.out, "ready: node %v, raft %s, http %s\n", status.ID, status.Address, listener.Addr())

	var err error
	select {
	case <-ctx.Done():
		s.node.Logger.Info("Stopping")
		handOver(s, node)
	case err = <-joining.refused:
	case <-node.Done():
		err = failure{exitError, node.Err()}
	case err = <-served:
		err = fail(exitError, "the HTTP server stopped: %w", err)
	}
	joining.stop()
	return errors.Join(err, shutDown(node, server))
}

// handOver lets another node lead, if this one does, before it stops: the others need not miss it first. A
// leader that finds nobody to take over stops all the same.
func handOver(s settings, node *balsa.Node) {
	if status := node.Status(); status.Role != raft.Leader || len(status.Peers) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.node.ElectionMin+200*time.Millisecond)
	defer cancel()
	if leader, err := node.TransferLeadership(ctx, raft.None); err != nil {
		s.node.Logger.Warn("Stops without having handed over", "error", err)
	} else {
		s.node.Logger.Info("Handed over", "leader", leader)
	}
}

// shutDown closes the node first, which answers everybody who waits, then gives the answers a moment to
// leave.
func shutDown(node *balsa.Node, server *http.Server) error {
	var wrong mistakes
	if err := node.Close(); err != nil {
		wrong.add("closing the node: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil { // a client that does not read its answer
		_ = server.Close()
	}
	return joined(exitError, wrong)
}
