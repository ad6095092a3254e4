package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"balsa/raft"
	"balsa/sim"
)

func demoCommand(c *console) *cobra.Command {
	var seed string
	var step, quick, plain, ascii bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See in a minute and a half how Raft works: a story in six scenes, on the real code",
		Long: `Tell a story in six scenes: an election, a write, the death of a leader, its return, a
cut network, and a power cut. Three servers play it in the simulator: the code is what
balsa serve runs, and disks, network and clocks are simulated. Nothing is listened to
and nothing is written to your disk. The same seed tells the same story; another seed
tells another one.`,
		Example: `  balsa demo
  balsa demo --step         goes on when you press Enter
  balsa demo --seed 7`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := parseSeed(seed)
			if err != nil {
				return fail(exitUsage, "--seed is %q: write a whole number from 0 on, or 0x and digits", seed)
			}
			if step && quick {
				return fail(exitUsage, "--step and --fast exclude each other: the one waits, the other never")
			}
			t := &teller{ctx: cmd.Context(), c: c, plain: plain, width: demoWidth, pause: pauseFor,
				lines: bufio.NewReader(c.in)}
			switch {
			case step:
				t.paced = stepwise
			case quick:
				t.paced = fast
			}
			if !plain {
				t.width = screenWidth(c)
			}
			if ascii || !plain && !speaksUTF8() {
				t.ascii = asciiOnly()
			}
			err = perform(t, n)
			if errors.Is(err, context.Canceled) {
				return fail(exitError, "stopped before the end")
			}
			return err
		},
	}
	cmd.Flags().StringVar(&seed, "seed", "1", "which story: all chance in it comes from this number")
	cmd.Flags().BoolVar(&step, "step", false, "wait for Enter after each scene")
	cmd.Flags().BoolVar(&quick, "fast", false, "do not pause for reading")
	cmd.Flags().BoolVar(&plain, "plain", false, "the same bytes everywhere: no colour, 80 columns")
	cmd.Flags().BoolVar(&ascii, "ascii", false, "ASCII only; without it, if the locale is not UTF-8")
	return cmd
}

// demo is the story, on its stage.
type demo struct {
	*stage
	*teller
	leader raft.NodeID  // who led when the last scene ended
	queued []clientLine // to be told with what the servers do

	// What scene three leaves for scene four: the leader that died, with an entry that nobody else has.
	dead   raft.NodeID
	orphan raft.EntryID
	asked  question
}

// perform tells the whole story.
func perform(t *teller, seed uint64) error {
	s, err := newStage(seed)
	if err != nil {
		return err
	}
	d := &demo{stage: s, teller: t}
	t.print(hang(" ", t.paint(bold, "balsa demo")+" · "+count(demoNodes, "node")+" · seed "+
		uintText(seed), t.width) + "\n")
	hint := ""
	if t.paced != stepwise {
		hint = " It goes by itself; --step waits for you."
	}
	t.print(hang(" ", "Nothing here is faked: these servers run the code of `balsa serve`, on simulated "+
		"disks, a simulated network and simulated clocks. Times are virtual."+hint, t.width) + "\n")
	scenes := []struct {
		name string
		play func() error
	}{
		{"Nobody is in charge", d.election},
		{"A write", d.write},
		{"The leader dies", d.death},
		{"It comes back with an entry nobody kept", d.comeback},
		{"A cut in two: who may write?", d.cut},
		{"The power goes", d.power},
	}
	for i, scene := range scenes {
		t.turn("for scene " + uintText(uint64(i+1)))
		t.title(i+1, scene.name)
		if err := scene.play(); err != nil {
			return err
		}
		if t.err != nil {
			return t.err
		}
	}
	return d.end()
}

// end says what the checks say, and where to go from here.
func (d *demo) end() error {
	if err := d.sound(); err != nil {
		return err
	}
	r := d.world.Result()
	d.print("\n" + d.paint(bold, " The end") + "\n\n")
	d.say("%d events in %s of virtual time. After each of them the simulator's checks looked at all "+
		"servers, all disks and all answers, and found nothing wrong. This was seed %d, digest %v: the same "+
		"seed tells the same story on every machine.", r.Events, seconds(r.Time), d.seed, r.Digest)
	d.print("\n")
	for _, next := range [][2]string{
		{"balsa demo --step --seed " + uintText(d.seed+1), "another story, at your pace"},
		{"balsa dev", "a cluster of processes"},
		{"balsa sim run --profile chaos --seeds 1..100", "every fault at once"},
	} {
		if d.width < demoWidth {
			d.print("      " + next[0] + "\n" + hang("          ", next[1], d.width) + "\n")
			continue
		}
		d.print(fmt.Sprintf("      %-46s%s\n", next[0], next[1]))
	}
	return d.err
}

// glued is a text that is not broken at the end of a line, and unglued makes spaces of the glue again.
func glued(text string) string   { return strings.ReplaceAll(text, " ", "\x1f") }
func unglued(text string) string { return strings.ReplaceAll(text, "\x1f", " ") }

// logs shows the logs of some servers, entry by entry.
func (d *demo) logs(ids ...raft.NodeID) {
	for _, id := range ids {
		var shown []string
		for _, e := range d.engines[id].EntriesAfter(0) {
			shown = append(shown, glued(d.cell(e)))
		}
		name := fmt.Sprintf("n%d", id)
		text := unglued(hang("      "+name+"'s log  ", strings.Join(shown, " "), d.width))
		d.print(strings.Replace(text, name, d.name(id), 1) + "\n")
	}
}

// cell is an entry in a log: its index, its term, and what it says.
func (d *demo) cell(e raft.Entry) string {
	return fmt.Sprintf("[%d t%d %s]", e.Index, e.Term, d.says(e))
}

// roles is a line of what every server is.
func (d *demo) roles() {
	var parts []string
	for _, id := range d.ids() {
		v, sign := d.status(id), ofFollower
		switch v.Role {
		case raft.Leader:
			sign = ofLeader
		case raft.Candidate, raft.PreCandidate:
			sign = ofCandidate
		}
		parts = append(parts, glued(fmt.Sprintf("n%d %s %v t%d", id, sign, v.Role, v.Term)))
	}
	d.print(unglued(hang("      ", strings.Join(parts, ", "), d.width)) + "\n\n")
}

// waits is how long a server waits for a leader.
func waits() (least, most sim.Time) {
	o := sim.DefaultOptions()
	return sim.Time(o.ElectionMin) * o.Tick, sim.Time(o.ElectionMax) * o.Tick
}
