package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
)

// cluster add and cluster replace do on this machine what docs/membership.md has people do on several: each
// step is a command that could be typed, and is printed as it runs.

func clusterAdd(c *console) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Have one more node join, and give it its vote",
		Long: `Start one more node with an empty directory, which joins the cluster, and give it its vote.
What runs is printed: it is what one would type where each node has a machine of its own.
An even number of nodes tolerates no more failures than one node less.`,
		Example: "  balsa cluster add",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := c.rebuild(cmd.Context(), data)
			if err != nil {
				return err
			}
			defer r.cluster.Close()
			return r.add(cmd.Context())
		},
	}
	registerData(cmd.Flags(), &data)
	return cmd
}

func clusterReplace(c *console) *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "replace N",
		Short: "Lose a node's disk, and put an empty one in its place",
		Long: `Kill a node, remove it from the cluster, remove its data, start it with an empty directory,
with which it joins, and give it its vote. What runs is printed: it is what one would type
where each node has a machine of its own. Whoever is interrupted can begin anew.`,
		Example: "  balsa cluster replace 2",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			r, err := c.rebuild(cmd.Context(), data)
			if err != nil {
				return err
			}
			defer r.cluster.Close()
			return r.replace(cmd.Context(), ids[0])
		},
	}
	registerData(cmd.Flags(), &data)
	return cmd
}

// rebuilding is a change of the members of a cluster on this machine.
type rebuilding struct {
	*console
	plan    plan
	cluster *client.Client
}

func (c *console) rebuild(ctx context.Context, data string) (rebuilding, error) {
	now, err := ask(ctx, data, order{Verb: "look"})
	if err != nil {
		return rebuilding{}, err
	}
	cluster, err := client.New(now.Plan.endpoints())
	if err != nil {
		return rebuilding{}, failure{exitError, err}
	}
	return rebuilding{console: c, plan: now.Plan, cluster: cluster}, nil
}

// add brings one node more. The last one that came so and is no member, as it was removed since, or never got
// so far, comes first.
func (r *rebuilding) add(ctx context.Context) error {
	now, err := r.cluster.Cluster(ctx)
	if err != nil {
		return clientError(err)
	}
	id := r.plan.Nodes
	if _, is := now.Member(uint64(id)); !is && r.plan.joins(id) {
		return r.bring(ctx, id)
	}
	out, err := ask(ctx, r.plan.data, order{Verb: "add"})
	if err != nil {
		return err
	}
	r.plan = out.Plan
	return r.bring(ctx, out.Plan.Nodes)
}

func (r *rebuilding) replace(ctx context.Context, id int) error {
	if err := r.plan.check([]int{id}); err != nil {
		return err
	}
	now, err := r.cluster.Cluster(ctx)
	if err != nil {
		return clientError(err)
	}
	m, is := now.Member(uint64(id))
	if is && m.Role == client.RoleVoter && alive(m) && *now.FailureTolerance < 1 {
		return fail(exitPrecondition, "the cluster could not do without node %d: start the others first, or "+
			"add one, with %s cluster add%s", id, programName(), dataFlag(r.plan.data))
	}
	name := strconv.Itoa(id)
	if err := r.typed(ctx, "cluster", "kill", name, "--data", r.plan.data); err != nil {
		return err
	}
	if is && m.Role != client.RoleLeaving {
		err := r.typed(ctx, "member", "remove", name, "--timeout", "30s", "--endpoints", r.others(id))
		if err != nil {
			return err
		}
	}
	return r.bring(ctx, id)
}

// bring starts a node with an empty directory, and gives it its vote.
func (r *rebuilding) bring(ctx context.Context, id int) error {
	if _, err := os.Stat(r.plan.nodeDir(id)); err == nil {
		r.prints("rm -r " + r.plan.nodeDir(id))
	}
	out, err := ask(ctx, r.plan.data, order{Verb: "wipe", Nodes: []int{id}})
	if err != nil {
		return err
	}
	r.plan = out.Plan
	r.prints(programName() + " " + strings.Join(r.plan.arguments(id), " ") + " &")
	if err := r.plan.startNodes(ctx, r.console, []int{id}); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < leaderTimeout; pauseFor(ctx, 20*time.Millisecond) {
		now, err := r.cluster.Cluster(ctx)
		if m, is := now.Member(uint64(id)); err == nil && is && m.Role != client.RoleLeaving {
			break
		}
	}
	return r.typed(ctx, "member", "promote", strconv.Itoa(id), "--endpoints", r.others(id))
}

// others are the endpoints of all nodes but one.
func (r *rebuilding) others(id int) string {
	return strings.Join(slices.Delete(r.plan.endpoints(), id-1, id), ",")
}

func (r *rebuilding) prints(line string) { fmt.Fprintf(r.err, "$ %s\n", line) }

// typed runs a command line as if it had been typed.
func (r *rebuilding) typed(ctx context.Context, args ...string) error {
	r.prints(programName() + " " + strings.Join(args, " "))
	another := *r.console
	root := rootCommand(&another)
	root.SetArgs(append(r.plan.configFlag(), args...))
	return root.ExecuteContext(ctx)
}
