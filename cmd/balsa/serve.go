package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"balsa"
	"balsa/httpapi"
	"balsa/kv"

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
      --peers 1=127.0.0.1:7001,2=127.0.0.1:7002,3=127.0.0.1:7003`,
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
	if s.supervised {
		var cancel context.CancelFunc
		ctx, cancel = underSupervision(ctx, c.in)
		defer cancel()
	}
	if len(s.node.Peers) == 0 {
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
	node, err := balsa.Open(s.node)
	if err != nil {
		return openError(s, err)
	}
	api := httpapi.New(httpapi.Config{Node: node, Store: store, Logger: logger})
	return serveUntil(ctx, c, node, listener, httpapi.Server(api), logger)
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
	if raft := s.raft(); raft != "" {
		if err := probe(raft); err != nil {
			return nil, addressError("--raft", raft, err)
		}
	}
	listener, err := net.Listen("tcp", s.http)
	if err != nil {
		return nil, addressError("--http", s.http, err)
	}
	return listener, nil
}

// serveUntil serves clients and says so, until one of the three ends: the context, the node, the server.
func serveUntil(ctx context.Context, c *console, node *balsa.Node, listener net.Listener, server *http.Server,
	logger *slog.Logger) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	status := node.Status()
	fmt.Fprintf(c.out, "ready: node %v, raft %s, http %s\n", status.ID, status.Address, listener.Addr())

	var err error
	select {
	case <-ctx.Done():
		logger.Info("Stopping")
	case <-node.Done():
		err = failure{exitError, node.Err()}
	case err = <-served:
		err = fail(exitError, "the HTTP server stopped: %w", err)
	}
	return errors.Join(err, shutDown(node, server))
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
