package main

import (
	"context"
	"fmt"
	"time"

	"balsa/client"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func memberCommand(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member",
		Short: "Show the members, and change who they are",
		Long: `Show the members of the cluster, and change who they are: one change at a time, which is
complete when the command ends with status 0. Any of the endpoints will do: the leader is
asked for.`,
		Example: `  balsa member list
  balsa member promote 4
  balsa member remove 2
  balsa member replace 3`,
		Args:                       unknownVerb,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(memberList(c), memberReplace(c), memberSet(c))
	for _, verb := range []memberVerb{memberAdd(), memberPromote(c), memberDemote(), memberRemove(),
		memberUpdate()} {
		cmd.AddCommand(verb.command(c))
	}
	return cmd
}

// changer is what the verbs that change something have in common.
type changer struct {
	console *console
	at      endpoints
	as      format
	timeout time.Duration
}

func (m *changer) register(flags *pflag.FlagSet, timeout time.Duration) {
	m.at.register(flags)
	m.as.register(flags, "plain")
	flags.DurationVar(&m.timeout, "timeout", timeout, "how long to go on trying")
}

// with checks the flags, and makes a client that goes on for as long as they say.
func (m *changer) with(ctx context.Context, do func(context.Context, *client.Client) error) error {
	if err := m.as.check(); err != nil {
		return err
	}
	if m.timeout <= 0 {
		return fail(exitUsage, "--timeout is %v: give a duration above zero", m.timeout)
	}
	cluster, err := client.New(m.at, client.WithPatience(m.timeout))
	if err != nil {
		return fail(exitUsage, "--endpoints: %w", err)
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	return do(ctx, cluster)
}

// tell prints what is so now, and by which configuration.
func (m *changer) tell(configuration uint64, said string) error {
	if m.as == "json" {
		return outputError(m.console.json(client.ChangeBody{Configuration: configuration}))
	}
	_, err := fmt.Fprintf(m.console.out, "%s, by configuration %d\n", said, configuration)
	return outputError(err)
}

// memberVerb is a verb that makes one change of one member.
type memberVerb struct {
	use, short, long, example string

	timeout time.Duration
	flags   func(*pflag.FlagSet)
	lacks   func() string // what is missing on the command line, or nil
	change  func(ctx context.Context, cluster *client.Client, id uint64) (configuration uint64, err error)
	said    string // when it is done, with the id
}

func (v memberVerb) command(c *console) *cobra.Command {
	m := &changer{console: c}
	cmd := &cobra.Command{
		Use: v.use, Short: v.short, Long: v.long, Example: v.example, Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return failure{exitUsage, err}
			}
			if v.lacks != nil && v.lacks() != "" {
				return fail(exitUsage, "%s: see balsa help %s", v.lacks(), words(cmd))
			}
			return m.with(cmd.Context(), func(ctx context.Context, cluster *client.Client) error {
				var configuration uint64
				waits := fmt.Sprintf("not complete yet: trying again for up to %v", m.timeout)
				c.telling(waits, func() { configuration, err = v.change(ctx, cluster, uint64(id)) })
				if err != nil {
					return clientError(err)
				}
				return m.tell(configuration, fmt.Sprintf(v.said, id))
			})
		},
	}
	m.register(cmd.Flags(), v.timeout)
	if v.flags != nil {
		v.flags(cmd.Flags())
	}
	return cmd
}

func memberAdd() memberVerb {
	var m client.NewMember
	return memberVerb{
		use: "add ID", short: "Add a node, as a learner: serve --join does it by itself",
		long: `Add a node as a learner. A node that is started with balsa serve --join does this by
itself; this is for one that is started in another way. The incarnation is that of the
node's data directory, see balsa status -o json. To be added twice is no error.`,
		example: "  balsa member add 4 --incarnation 1f --raft 10.0.0.4:7001 --http http://10.0.0.4:8001",
		timeout: 10 * time.Second,
		flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&m.Incarnation, "incarnation", "", "of the node's data directory, in hexadecimal")
			flags.StringVar(&m.Address, "raft", "", "where peers reach the node, as host:port")
			flags.StringVar(&m.API, "http", "", "where clients reach it, as http://host:port")
		},
		lacks: func() string {
			if m.Incarnation == "" || m.Address == "" {
				return "--incarnation and --raft are needed: balsa status -o json, asked of the node, says " +
					"both"
			}
			return ""
		},
		change: func(ctx context.Context, cluster *client.Client, id uint64) (uint64, error) {
			m.ID = id
			return cluster.AddMember(ctx, m)
		},
		said: "node %v is a member",
	}
}

func memberPromote(c *console) memberVerb {
	var force bool
	return memberVerb{
		use: "promote ID", short: "Give a learner a vote, once it has caught up",
		long: `Give a learner a vote. As long as it lacks much of the log the command waits, and says how
much. With --force it does not, and every commit that needs the new voter may have to.`,
		example: "  balsa member promote 4 --timeout 10m",
		timeout: time.Minute,
		flags:   func(flags *pflag.FlagSet) { registerForce(flags, &force) },
		change: func(ctx context.Context, cluster *client.Client, id uint64) (uint64, error) {
			return c.promote(ctx, cluster, id, forced(force)...)
		},
		said: "node %v is a voter",
	}
}

func memberDemote() memberVerb {
	var force, keep bool
	return memberVerb{
		use: "demote ID", short: "Take a voter's vote, and leave it a learner",
		long: `Take a voter's vote. It goes on receiving the log. Where learners are promoted by
themselves this is refused, unless that is switched off with it.`,
		example: "  balsa member demote 4 --no-auto-promote",
		timeout: 10 * time.Second,
		flags: func(flags *pflag.FlagSet) {
			registerForce(flags, &force)
			flags.BoolVar(&keep, "no-auto-promote", false,
				"from now on no learner gets a vote by itself, in the whole cluster")
		},
		change: func(ctx context.Context, cluster *client.Client, id uint64) (uint64, error) {
			options := forced(force)
			if keep {
				options = append(options, client.WithAutoPromote(false))
			}
			return cluster.DemoteMember(ctx, id, options...)
		},
		said: "node %v is a learner",
	}
}

func memberRemove() memberVerb {
	var force bool
	return memberVerb{
		use: "remove ID", short: "Remove a member, the leader too",
		long: `Remove a voter or a learner for good. A leader that is removed hands over first. The node
that was removed says so in its log, disturbs nobody, and can be stopped. Its data
directory cannot come back: an empty one can, with balsa serve --join.`,
		example: "  balsa member remove 2",
		timeout: 10 * time.Second,
		flags:   func(flags *pflag.FlagSet) { registerForce(flags, &force) },
		change: func(ctx context.Context, cluster *client.Client, id uint64) (uint64, error) {
			return cluster.RemoveMember(ctx, id, forced(force)...)
		},
		said: "node %v is no member any more",
	}
}

func memberUpdate() memberVerb {
	var address, api string
	return memberVerb{
		use: "update ID", short: "Say where a member is, for one that cannot say it itself",
		long: `Note where peers and clients reach a member. A node that runs says by itself where it is, and
the leader notes it: so this is for one that nobody reaches any more.`,
		example: "  balsa member update 2 --raft 10.0.0.9:7001 --http http://10.0.0.9:8001",
		timeout: 10 * time.Second,
		flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&address, "raft", "", "where peers reach it, as host:port")
			flags.StringVar(&api, "http", "", "where clients reach it, as http://host:port")
		},
		lacks: func() string {
			if address == "" && api == "" {
				return "say where it is, with --raft or --http"
			}
			return ""
		},
		change: func(ctx context.Context, cluster *client.Client, id uint64) (uint64, error) {
			return cluster.UpdateMember(ctx, id, address, api)
		},
		said: "node %v is where it was said to be",
	}
}

func registerForce(flags *pflag.FlagSet, force *bool) {
	flags.BoolVar(force, "force", false, "do not ask whether the voters answer: if they never come back, "+
		"nothing can be committed any more, and this cannot be taken back")
}

func forced(force bool) []client.ChangeOption {
	if force {
		return []client.ChangeOption{client.Force()}
	}
	return nil
}

// memberSet changes what concerns all members.
func memberSet(c *console) *cobra.Command {
	m := &changer{console: c}
	var promote bool
	var drift uint32
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Change what concerns all members",
		Long: `Change what concerns all members: whether learners that have caught up get a vote by
themselves, and by how much clocks may drift apart for leases, in parts per million (0
switches leases off).`,
		Example: `  balsa member set --auto-promote
  balsa member set --auto-promote=false
  balsa member set --lease-drift 1000`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var patch client.ClusterPatch
			if cmd.Flags().Changed("auto-promote") {
				patch.AutoPromote = &promote
			}
			if cmd.Flags().Changed("lease-drift") {
				patch.LeaseDrift = &drift
			}
			if patch == (client.ClusterPatch{}) {
				return fail(exitUsage, "say what is to be changed: see balsa help member set")
			}
			return m.with(cmd.Context(), func(ctx context.Context, cluster *client.Client) error {
				configuration, err := cluster.UpdateCluster(ctx, patch)
				if err != nil {
					return clientError(err)
				}
				return m.tell(configuration, "it is so")
			})
		},
	}
	m.register(cmd.Flags(), 10*time.Second)
	cmd.Flags().BoolVar(&promote, "auto-promote", false,
		"learners that have caught up get a vote by themselves")
	cmd.Flags().Uint32Var(&drift, "lease-drift", 0, "the bound on the drift of clocks, in parts per million")
	return cmd
}

func leaderCommand(c *console) *cobra.Command {
	m := &changer{console: c}
	transfer := &cobra.Command{
		Use:   "transfer [ID]",
		Short: "Have the leader hand over, to the fittest or to a member",
		Long: `Have the leader hand over, to the voter that holds most of its log, or to the one that is
named, and print who leads then. Writes wait meanwhile, for some milliseconds. Where
nobody takes over within an election timeout the old leader leads on.`,
		Example: "  balsa leader transfer\n  balsa leader transfer 2",
		Args:    arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := uint64(0)
			if len(args) > 0 {
				id, err := parseID(args[0])
				if err != nil {
					return failure{exitUsage, err}
				}
				to = uint64(id)
			}
			return m.with(cmd.Context(), func(ctx context.Context, cluster *client.Client) error {
				leader, err := cluster.TransferLeadership(ctx, to)
				if err != nil {
					return clientError(err)
				}
				if m.as == "json" {
					return outputError(c.json(client.TransferBody{Leader: leader}))
				}
				_, err = fmt.Fprintf(c.out, "node %d leads\n", leader)
				return outputError(err)
			})
		},
	}
	m.register(transfer.Flags(), 10*time.Second)
	cmd := &cobra.Command{
		Use: "leader", Short: "Have the leader hand over", Example: transfer.Example, Args: unknownVerb,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(transfer)
	return cmd
}
