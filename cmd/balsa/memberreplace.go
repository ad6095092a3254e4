package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
)

// member replace puts a node with an empty data directory in the place of one whose data is lost. Two changes
// do it, for a data directory that was wiped has forgotten what it promised: the member is removed, and once
// that is complete a new one is added under its id. Each step looks at the members first, so that whoever was
// interrupted can begin anew.

func memberReplace(c *console) *cobra.Command {
	m := &changer{console: c}
	var lost string
	cmd := &cobra.Command{
		Use:   "replace ID",
		Short: "Put an empty data directory in the place of a member whose data is lost",
		Long: `Remove a member whose data is lost, print the command that starts an empty node in its
place, wait until that node has joined and caught up, and give it its vote.

Whoever interrupts this, or runs out of time, can begin it anew: it goes on where it was.
A member that answers is not replaced: stop it first.`,
		Example: "  balsa member replace 3\n  balsa member replace 3 --timeout 2h",
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return failure{exitUsage, err}
			}
			return m.with(cmd.Context(), func(ctx context.Context, cluster *client.Client) error {
				r := replacement{changer: m, cluster: cluster, id: uint64(id), lost: lost}
				return r.run(ctx)
			})
		},
	}
	m.register(cmd.Flags(), 30*time.Minute)
	cmd.Flags().StringVar(&lost, "incarnation", "", "of the data directory that is lost, if another one "+
		"has taken its place already; see balsa member list -o json")
	return cmd
}

// replacement is one member replace under way.
type replacement struct {
	*changer
	cluster *client.Client
	id      uint64
	lost    string // the incarnation that is to go; empty: whichever is there
}

func (r *replacement) run(ctx context.Context) error {
	was, err := r.remove(ctx)
	if err != nil {
		return r.later(ctx, err)
	}
	if was.Incarnation == "" && was.Role == "" {
		fmt.Fprintf(r.console.err, "node %d is no member: it was removed before, or never added\n", r.id)
	}
	if r.begins(was) {
		fmt.Fprintf(r.console.err, "start it on its machine, with a data directory that is empty, and with "+
			"--transport and --tls-... as the others have them:\n")
		fmt.Fprintf(r.console.out, "%s\n", r.startCommand(was))
	}
	if err := r.awaitMember(ctx); err != nil {
		return r.later(ctx, err)
	}
	configuration, err := r.console.promote(ctx, r.cluster, r.id)
	if err != nil {
		return r.later(ctx, err)
	}
	return r.tell(configuration, fmt.Sprintf("node %d is a voter", r.id))
}

// later adds to an error how to go on.
func (r *replacement) later(ctx context.Context, err error) error {
	again := fmt.Sprintf("%s member replace %d", programName(), r.id)
	if r.lost != "" {
		again += " --incarnation " + r.lost
	}
	var known failure
	if errors.As(err, &known) {
		return err
	}
	if ctx.Err() != nil {
		return fail(exitUnavailable, "not complete within %v, and nothing is lost. To go on: %s", r.timeout,
			again)
	}
	return fail(exitStatus(clientError(err)), "%w. To go on: %s", err, again)
}

// deathTime is how long a member that answers is given to fall silent, as one that was just killed is called
// silent by the leader only after a second; and a learner that does not, to answer, as it may have just come.
const deathTime = 3 * time.Second

// remove has the lost one removed, and returns it. That it is gone already is no error.
func (r *replacement) remove(ctx context.Context) (was client.Member, err error) {
	for began := time.Now(); ; {
		now, err := r.cluster.Cluster(ctx)
		if err != nil {
			return was, err
		}
		m, is := now.Member(r.id)
		switch {
		case !is:
			return client.Member{ID: r.id}, nil
		case r.lost != "" && m.Incarnation != r.lost,
			r.lost == "" && m.Role == client.RoleLearner && alive(m):
			return m, nil // the new one has come
		case (alive(m) || m.Role == client.RoleLearner) && time.Since(began) < deathTime:
			// it may fall silent yet, or be a new one that has not said anything
		case alive(m):
			return m, fail(exitPrecondition, "node %d answers, so its data is not lost: stop it first, "+
				"or take it away with %s member remove %[1]d", r.id, programName())
		default:
			return m, r.removeLost(ctx, m)
		}
		pauseFor(ctx, 200*time.Millisecond)
	}
}

func alive(m client.Member) bool { return m.Health != client.HealthSilent }

func (r *replacement) removeLost(ctx context.Context, m client.Member) error {
	var options []client.ChangeOption
	if r.lost = m.Incarnation; r.lost != "" {
		options = append(options, client.OfIncarnation(r.lost))
	}
	_, err := r.cluster.RemoveMember(ctx, r.id, options...)
	if err == nil || errors.Is(err, client.ErrNotFound) {
		fmt.Fprintf(r.console.err, "node %d is removed: its data directory %s counts no more\n", r.id, r.lost)
		return nil
	}
	return err
}

// startCommand is what starts a node in the place of the one that was.
func (r *replacement) startCommand(was client.Member) string {
	raft, api, says := "HOST:7001", "HOST:8001", ""
	if was.Address != "" {
		raft = was.Address
	}
	if _, host, cut := strings.Cut(was.API, "://"); cut {
		api, says = host, " --advertise-http "+was.API
	}
	return fmt.Sprintf("%s serve --id %d --data DIR --raft %s --http %s%s --join %s", programName(), r.id,
		raft, api, says, strings.Join(r.cluster.Endpoints(), ","))
}

// begins reports whether nobody has come yet in the place of the one that was.
func (r *replacement) begins(was client.Member) bool {
	return was.Incarnation == r.lost || was.Incarnation == ""
}

// awaitMember waits until a node is a member under the id.
func (r *replacement) awaitMember(ctx context.Context) error {
	for told := time.Now(); ; {
		now, err := r.cluster.Cluster(ctx)
		if err != nil {
			return err
		}
		if m, is := now.Member(r.id); is && (r.lost == "" || m.Incarnation != r.lost) {
			return nil
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			fmt.Fprintf(r.console.err, "balsa: node %d has not come yet\n", r.id)
		}
		if !pauseFor(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// promote gives a learner its vote, once it has caught up, and says meanwhile how far it has come.
func (c *console) promote(
	ctx context.Context, cluster *client.Client, id uint64, options ...client.ChangeOption,
) (uint64, error) {
	said, told := "", time.Time{}
	for {
		configuration, err := cluster.PromoteMember(ctx, id, options...)
		var e *client.Error
		if !errors.As(err, &e) || e.Code != client.CodeLearnerBehind {
			return configuration, err
		}
		if now, err := cluster.Cluster(ctx); err == nil && time.Since(told) > quietFor {
			m, _ := now.Member(id)
			if line := behind(m); line != said {
				said, told = line, time.Now()
				fmt.Fprintf(c.err, "balsa: %s\n", line)
			}
		}
		if !pauseFor(ctx, 300*time.Millisecond) {
			return 0, err
		}
	}
}

// behind says how far a learner has come.
func behind(m client.Member) string {
	switch {
	case m.Installing != nil:
		return fmt.Sprintf("learner %d receives a snapshot: %s", m.ID, percent(m.Installing))
	case m.Health == client.HealthSilent:
		return fmt.Sprintf("learner %d does not answer", m.ID)
	}
	if m.LagBytes < 0 {
		return fmt.Sprintf("learner %d needs a snapshot", m.ID)
	}
	return fmt.Sprintf("learner %d is %s behind, %s", m.ID, entries(int(m.Lag)), lag(m))
}
