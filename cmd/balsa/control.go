package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// order is what a verb asks of a supervisor.
type order struct {
	Verb   string  `json:"verb"` // look, stop, start, kill, pause, resume, wipe, partition, heal or add
	Nodes  []int   `json:"nodes,omitempty"`
	Groups [][]int `json:"groups,omitempty"` // of partition
	OneWay bool    `json:"one_way,omitempty"`
}

// outcome is what became of an order.
type outcome struct {
	Run     string        `json:"run"`
	Said    []string      `json:"said,omitempty"`
	Failure string        `json:"failure,omitempty"`
	Status  int           `json:"status,omitempty"` // the exit status of the failure
	Plan    plan          `json:"plan"`
	Members []memberState `json:"members"`
	Cut     []way         `json:"cut"`
}

// memberState is what a supervisor knows of a node's process.
type memberState struct {
	ID    int    `json:"id"`
	State string `json:"state"` // running, paused or stopped
	PID   int    `json:"pid,omitempty"`
	Ended string `json:"ended,omitempty"` // how the last process ended
}

// controlHeader carries the token that the note of the cluster names. A page in a browser can reach the port
// but knows no token.
const controlHeader = "Balsa-Control-Token"

// control is the port at which a supervisor takes orders.
type control struct {
	supervisor *supervisor
	note       note
	server     *http.Server
	stop       context.CancelFunc // ends the supervisor
	served     chan struct{}
	one        sync.Mutex // one order after the other
}

// listenForOrders opens the control port on loopback and leaves the note by which it is found. stop is
// called when a stop is ordered.
func listenForOrders(s *supervisor, stop context.CancelFunc) (*control, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fail(exitError, "no port is left for the cluster's control: %w", err)
	}
	c := &control{supervisor: s, stop: stop, served: make(chan struct{}), note: note{Plan: s.plan,
		PID: os.Getpid(), Control: listener.Addr().String(), Run: rand.Text(), Token: rand.Text()}}
	c.server = &http.Server{Handler: http.HandlerFunc(c.take), ReadHeaderTimeout: 5 * time.Second}
	if err := c.note.write(); err != nil {
		_ = listener.Close()
		return nil, fail(exitError, "%w", err)
	}
	go func() { defer close(c.served); _ = c.server.Serve(listener) }()
	return c, nil
}

// close takes no more orders, and leaves a note that says so.
func (c *control) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.server.Shutdown(ctx)
	_ = c.server.Close()
	<-c.served
	_ = note{Plan: c.supervisor.planned()}.write()
}

func (c *control) take(w http.ResponseWriter, r *http.Request) {
	token := []byte(r.Header.Get(controlHeader))
	if subtle.ConstantTimeCompare(token, []byte(c.note.Token)) != 1 || r.Method != http.MethodPost {
		http.Error(w, "this port belongs to a balsa cluster", http.StatusForbidden)
		return
	}
	var o order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.one.Lock()
	said, err := c.supervisor.obey(o)
	out := c.supervisor.look()
	if o.Verb == "add" || o.Verb == "wipe" { // the next start needs to know
		c.note.Plan = out.Plan
		err = errors.Join(err, c.note.write())
	}
	c.one.Unlock()
	out.Run, out.Said = c.note.Run, said
	if err != nil {
		out.Failure, out.Status = err.Error(), exitStatus(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
	if o.Verb == "stop" {
		c.stop()
	}
}

// obey carries out an order and says what it did, a line for each node.
func (s *supervisor) obey(o order) (said []string, err error) {
	if err := s.planned().check(o.Nodes); err != nil {
		return nil, err
	}
	each := map[string]func(id int) (string, error){
		"start": s.start, "kill": s.kill, "pause": s.pause, "resume": s.resume,
		"wipe": s.wipe,
	}[o.Verb]
	switch {
	case each != nil:
		var wrong []error
		for _, id := range o.Nodes {
			line, err := each(id)
			if err != nil {
				wrong = append(wrong, err)
			} else {
				said = append(said, line)
			}
		}
		return said, joined(exitError, wrong)
	case o.Verb == "partition":
		return s.partition(o)
	case o.Verb == "heal":
		s.mesh.set(nil)
		return []string{"healed: every node reaches every other"}, nil
	case o.Verb == "add":
		line, err := s.add()
		return []string{line}, err
	case o.Verb == "look", o.Verb == "stop":
		return nil, nil
	}
	return nil, fail(exitError, "this supervisor knows no order %q: it is of another version; stop it first",
		o.Verb)
}

// partition parts the groups. Nodes that no group names are one more group.
func (s *supervisor) partition(o order) ([]string, error) {
	named := map[int]bool{}
	for _, group := range o.Groups {
		if err := s.planned().check(group); err != nil {
			return nil, err
		}
		for _, id := range group {
			if named[id] {
				return nil, fail(exitUsage, "node %d is named twice: put each node on one side", id)
			}
			named[id] = true
		}
	}
	groups := o.Groups
	var rest []int
	for _, id := range s.planned().all() {
		if !named[id] {
			rest = append(rest, id)
		}
	}
	if len(rest) > 0 {
		groups = append(groups, rest)
	}
	if len(groups) < 2 {
		return nil, fail(exitUsage, "all nodes are on one side: write the sides with a slash between them, "+
			"as in balsa cluster partition 1 / 2 3")
	}
	s.mesh.set(between(groups, o.OneWay))
	if o.OneWay {
		return []string{"cut: nothing that " + sides(groups[:1]) + " sends reaches " + sides(groups[1:])}, nil
	}
	return []string{"parted: " + sides(groups)}, nil
}

// look describes everything.
func (s *supervisor) look() outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := outcome{Plan: s.plan, Cut: s.mesh.cut(), Members: []memberState{}}
	for _, m := range s.members {
		state := memberState{ID: m.id, State: "stopped"}
		switch {
		case m.child.lives():
			state.State, state.PID = "running", m.child.command.Process.Pid
			if m.child.paused {
				state.State = "paused"
			}
		case m.child != nil:
			state.Ended = m.child.command.ProcessState.String()
		}
		out.Members = append(out.Members, state)
	}
	return out
}

// errNotRunning says that no supervisor answers for a data directory.
var errNotRunning = errors.New("no cluster runs")

// command gives an order to the supervisor of a data directory. errNotRunning says that there is none: it
// was never started, was stopped, or died, with the machine perhaps.
func (n note) command(ctx context.Context, o order) (outcome, error) {
	if n.Control == "" {
		return outcome{}, errNotRunning
	}
	body, err := json.Marshal(o)
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.Control+"/",
		bytes.NewReader(body))
	if err != nil {
		return outcome{}, errNotRunning
	}
	request.Header.Set(controlHeader, n.Token)
	direct := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	answer, err := direct.Do(request)
	if err != nil {
		return outcome{}, n.silence(err)
	}
	defer answer.Body.Close()
	var out outcome
	if json.NewDecoder(answer.Body).Decode(&out) != nil || out.Run != n.Run {
		return outcome{}, errNotRunning // another program has this port now
	}
	out.Plan.data = n.Plan.data
	return out, nil
}

// silence tells a supervisor that is gone from one that hangs.
func (n note) silence(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fail(exitUnavailable, "the supervisor, process %d, does not answer: it may be paused", n.PID)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return errNotRunning
}

// sides writes groups as they are typed.
func sides(groups [][]int) (text string) {
	for i, group := range groups {
		if i > 0 {
			text += " / "
		}
		for j, id := range group {
			if j > 0 {
				text += " "
			}
			text += fmt.Sprint(id)
		}
	}
	return text
}
