package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// superviseCommand is what cluster start starts in the background.
func superviseCommand(c *console) *cobra.Command {
	var p plan
	cmd := &cobra.Command{
		Use: "supervise", Hidden: true, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.config = c.config
			if err := p.remember(cmd.Flags()); err != nil {
				return err
			}
			return p.supervise(cmd.Context(), c)
		},
	}
	p.register(cmd.Flags())
	return cmd
}

func (p plan) supervise(ctx context.Context, c *console) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lines := newLines(c)
	defer lines.close()
	s, err := newSupervisor(p, func(int) io.Writer { return io.Discard })
	if err != nil {
		return err
	}
	defer s.close()
	control, err := listenForOrders(s, stop)
	if err != nil {
		return err
	}
	defer control.close()
	if err := s.startAll(); err != nil {
		return err
	}
	return s.attend(ctx, false, lines.say)
}

// add makes room for one node more.
func (s *supervisor) add() (string, error) {
	id := s.plan.Nodes + 1
	next := s.plan.joinedBy(id)
	if err := joined(exitPrecondition, next.mistakes()); err != nil {
		return "", err
	}
	if taken := next.taken(id); len(taken) > 0 {
		return "", fail(exitError, "in use on 127.0.0.1: port %s, which node %d would need: stop what uses "+
			"it", strings.Join(taken, ", "), id)
	}
	m, err := s.member(id)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.members = next, append(s.members, m)
	return fmt.Sprintf("there is room for node %d", id), nil
}

// wipe removes the data of a node that does not run. It is to join the cluster anew.
func (s *supervisor) wipe(id int) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members[id-1].child.lives() {
		return "", fail(exitPrecondition, "node %d runs: balsa cluster kill %[1]d ends it", id)
	}
	if err := os.RemoveAll(s.plan.nodeDir(id)); err != nil {
		return "", fail(exitError, "%w", err)
	}
	s.plan = s.plan.joinedBy(id)
	return fmt.Sprintf("the data of node %d are gone", id), nil
}
