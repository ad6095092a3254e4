package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"time"
)

// process is a node in a process of its own.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan string // closed when the process has ended
}

// processes are a cluster of them.
type processes struct {
	system string
	places []place
	nodes  []*process
}

// errSilent says that a node did not answer.
var errSilent = errors.New("a node gives no answer")

// measureFailover kills leaders, one after the other, while the others wait to lead and to write. What was
// killed is started again each time.
func measureFailover(s system, dir string, e effort) (figure, error) {
	addresses, err := freeAddresses(nodes)
	if err != nil {
		return figure{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), task{Effort: e}.limit())
	defer cancel()
	c := &processes{system: s.name, nodes: make([]*process, nodes)}
	defer c.end()
	for i := range nodes {
		p, err := placeOf(dir, addresses, i+1, false)
		if err != nil {
			return figure{}, err
		}
		c.places = append(c.places, p)
		if err := c.open(ctx, i); err != nil {
			return figure{}, err
		}
	}
	var took []time.Duration
	for range e.Kills {
		killed, d, err := c.kill(ctx)
		if err != nil {
			return figure{}, err
		}
		took = append(took, d)
		if err := c.open(ctx, killed); err != nil {
			return figure{}, err
		}
	}
	slices.Sort(took)
	return figure{P50: percentile(took, 50), P99: percentile(took, 99), P999: took[len(took)-1]}, nil
}

// open starts a node's process.
func (c *processes) open(ctx context.Context, i int) error {
	text, err := json.Marshal(nodeTask{System: c.system, Place: c.places[i]})
	if err != nil {
		return err
	}
	cmd, err := again(ctx, "-node", string(text))
	if err != nil {
		return err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, in: in, answers: make(chan string, 16)}
	go func() {
		defer close(p.answers)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.answers <- lines.Text()
		}
	}()
	c.nodes[i] = p
	return nil
}

// ask sends a line and waits for the answer.
func (p *process) ask(line string) (string, error) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return "", err
	}
	select {
	case answer, running := <-p.answers:
		if !running {
			return "", errSilent
		}
		return answer, nil
	case <-time.After(patience):
		return "", errSilent
	}
}

// kill kills the leader and returns which it was, and how long it took until another had acknowledged a
// write.
func (c *processes) kill(ctx context.Context) (leader int, took time.Duration, err error) {
	if leader, err = c.settled(ctx); err != nil {
		return 0, 0, err
	}
	// At any time between two heartbeats.
	time.Sleep(electionMax + rand.N(2*heartbeat))
	first := make(chan error, nodes)
	for i, p := range c.nodes {
		if i != leader {
			go func() {
				_, err := p.ask(askFirst) // that of the one that gives up is received last
				first <- err
			}()
		}
	}
	time.Sleep(tick) // by then they wait
	start := time.Now()
	if len(first) > 0 {
		return 0, 0, errors.New("another node led before the kill")
	}
	if err := c.nodes[leader].cmd.Process.Kill(); err != nil {
		return 0, 0, err
	}
	err = <-first
	took = time.Since(start)
	_ = c.nodes[leader].cmd.Wait() // it was killed
	for i, p := range c.nodes {
		if i != leader { // the one that still waits gives up
			if _, writeErr := io.WriteString(p.in, "\n"); err == nil {
				err = writeErr
			}
		}
	}
	<-first
	return leader, took, err
}

// settled waits until one node leads and ten writes have gone through at it.
func (c *processes) settled(ctx context.Context) (leader int, err error) {
	for written := 0; written < 10; {
		if ctx.Err() != nil {
			return 0, fmt.Errorf("no leader: %w", ctx.Err())
		}
		found := -1
		for i, p := range c.nodes {
			answer, err := p.ask(askLeads)
			if err != nil {
				return 0, err
			}
			if answer == answerYes {
				found = i
			}
		}
		if found < 0 {
			time.Sleep(tick)
			continue
		}
		answer, err := c.nodes[found].ask(askWrite)
		switch {
		case err != nil:
			return 0, err
		case answer == answerDone && found == leader:
			written++
		default:
			leader, written = found, 0
		}
	}
	return leader, nil
}

// end ends all nodes: they do so when nobody writes to them any more.
func (c *processes) end() {
	for _, p := range c.nodes {
		if p != nil {
			_ = p.in.Close()
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	}
}
