package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// rootCommand wires the verbs together.
func rootCommand(c *console) *cobra.Command {
	root := &cobra.Command{
		Use:   "balsa",
		Short: "Raft that you can read, trust and run: a replicated key-value store",
		Example: `  balsa dev                      a cluster of three on this machine
  balsa demo                     how Raft works, in six scenes
  balsa put greeting "hello world"
  balsa get greeting
  balsa status`,
		SilenceErrors: true, // run prints them, once, and without the usage below
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(c.configure(cmd), c.checkColor())
		},
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().StringVar(&c.color, "color", "auto", "colour: auto, always or never")
	root.PersistentFlags().StringVar(&c.config, "config", "",
		"file with settings, named as the flags are; a flag beats BALSA_<FLAG>, which beats the file")
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fail(exitUsage, "%w: see %s --help", flagMistake(err), cmd.CommandPath())
	})
	root.SetHelpCommand(helpCommand())
	root.AddCommand(serveCommand(c), devCommand(c), clusterCommand(c), versionCommand(c), simCommand(c))
	root.AddCommand(demoCommand(c), verifyCommand(c), logCommand(c))
	root.AddCommand(putCommand(c), getCommand(c), delCommand(c), incrCommand(c),
		statusCommand(c), snapshotCommand(c), memberCommand(c), leaderCommand(c))
	root.AddCommand(backupCommand(c), restoreCommand(c), recoverCommand(c), checkCommand(c))
	return root
}

func (c *console) checkColor() error {
	if !slices.Contains([]string{"auto", "always", "never"}, c.color) {
		wrong := c.color
		c.color = "never"
		return fail(exitUsage, "--color is %q: write auto, always or never", wrong)
	}
	return nil
}

// unknownCommand refuses a first word that is no command, and says which it might have been.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		return fail(exitUsage, "unknown command %q: did you mean %s? See balsa help",
			args[0], strings.Join(near, " or "))
	}
	return fail(exitUsage, "unknown command %q: see balsa help", args[0])
}

// helpCommand is cobra's, but for a topic that does not exist, which is a mistake like any other.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command, with examples",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if topic == cmd.Root() && len(rest) > 0 {
				return unknownCommand(topic, rest)
			}
			return topic.Help()
		},
	}
}

func versionCommand(c *console) *cobra.Command {
	var as format
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of balsa and of the Go that built it",
		Example: "  balsa version -o json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := as.check(); err != nil {
				return err
			}
			platform := runtime.GOOS + "/" + runtime.GOARCH
			switch as {
			case "json":
				return outputError(c.json(map[string]string{"version": version(), "go": runtime.Version(),
					"platform": platform}))
			case "table":
				return outputError(c.table(as, strings.Fields("VERSION GO PLATFORM"),
					[][]string{{version(), runtime.Version(), platform}}))
			}
			_, err := fmt.Fprintf(c.out, "balsa %s %s %s\n", version(), runtime.Version(), platform)
			return outputError(err)
		},
	}
	as.register(cmd.Flags(), "plain")
	return cmd
}

// version is the module's version where the build knows it, else the revision that was built, else "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
}

// noArguments and arguments complain in one sentence; cobra's own words count arguments without naming them.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fail(exitUsage, "balsa %s takes no arguments, but there is %q: see balsa help %[1]s",
			words(cmd), args[0])
	}
	return nil
}

// words are those that call a command, without the program's name.
func words(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fail(exitUsage, "write %s %s: see balsa help %s", cmd.Parent().CommandPath(), cmd.Use,
				words(cmd))
		}
		return nil
	}
}

// joined makes one failure of several mistakes, each of which keeps its own line.
func joined(status int, wrong []error) error {
	if len(wrong) == 0 {
		return nil
	}
	return failure{status, errors.Join(wrong...)}
}
