package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// What the process of a node is asked on its standard input, line by line, and what it answers to each on its
// standard output. An empty line ends the waiting of askFirst and has no answer of its own.
const (
	askLeads   = "leads"
	askWrite   = "write"
	askFirst   = "first" // write as soon as you lead
	answerYes  = "yes"
	answerNo   = "no"
	answerDone = "done"
)

// nodeTask is which node a process opens.
type nodeTask struct {
	System string
	Place  place
}

// performNode opens a node and answers until its input ends. It does not close the node: the process ends.
func performNode(text string, in io.Reader, out io.Writer) error {
	var t nodeTask
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	s, known := systemNamed(t.System)
	if !known {
		return fmt.Errorf("no system is called %s", t.System)
	}
	m, err := s.open(t.Place)
	if err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	for line := range lines {
		answer := answerNo
		switch line {
		case "":
			continue
		case askLeads:
			if m.Leads() {
				answer = answerYes
			}
		case askWrite:
			if writeOnce(m) == nil {
				answer = answerDone
			}
		case askFirst:
			if writeFirst(m, lines) {
				answer = answerDone
			}
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return nil
}

func writeOnce(m member) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return m.Propose(ctx, make([]byte, 128))
}

// writeFirst writes as soon as the node leads. It gives up when there is another line, or no more input.
func writeFirst(m member, lines <-chan string) bool {
	for {
		if m.Leads() && writeOnce(m) == nil {
			return true
		}
		select {
		case _, open := <-lines:
			if !open {
				os.Exit(0)
			}
			return false
		case <-time.After(time.Millisecond):
		}
	}
}
