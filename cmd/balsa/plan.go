package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"balsa/disk"
)

// plan is what a cluster on this machine is made of. It is kept beside the data: the next start needs no
// flags.
type plan struct {
	data     string // the directory as the user wrote it
	config   string // the file with settings for the nodes; may be empty
	Nodes    int    `json:"nodes"`
	HTTPPort int    `json:"http_port"` // of node 1; the others follow
	RaftPort int    `json:"raft_port"`
	LogLevel string `json:"log_level"`
	// Founded is with how many nodes the cluster was founded; 0: with all of them. Joined are those that
	// joined it later, with an empty directory.
	Founded int   `json:"founded,omitempty"`
	Joined  []int `json:"joined,omitempty"`
}

// foundedWith is with how many nodes the cluster was founded.
func (p plan) foundedWith() int { return cmp.Or(p.Founded, p.Nodes) }

// joins reports whether a node joined the cluster that the others had founded.
func (p plan) joins(n int) bool { return slices.Contains(p.Joined, n) }

// joinedBy is the plan when a node has joined, under a new id or with an empty directory.
func (p plan) joinedBy(n int) plan {
	p.Founded, p.Nodes = p.foundedWith(), max(p.Nodes, n)
	if !p.joins(n) {
		p.Joined = append(slices.Clone(p.Joined), n)
	}
	return p
}

// note is the file by which the verbs find the supervisor of a data directory. Nobody signals the process
// that it names: after a reboot that number is somebody else's. Whether a supervisor lives is asked at its
// control port, and only one that answers with the run of this note is ours.
type note struct {
	Plan    plan   `json:"plan"`
	PID     int    `json:"pid,omitempty"`     // for people
	Control string `json:"control,omitempty"` // host:port; empty: no supervisor runs
	Run     string `json:"run,omitempty"`     // names this run of the supervisor
	Token   string `json:"token,omitempty"`   // whoever can read this file may give orders
}

func notePath(data string) string { return filepath.Join(data, "cluster.json") }

// readNote returns fs.ErrNotExist when nothing was ever started there. A file that makes no sense is an
// error: it is not this program's.
func readNote(data string) (note, error) {
	content, err := os.ReadFile(notePath(data))
	if err != nil {
		return note{}, err
	}
	var n note
	if err := json.Unmarshal(content, &n); err != nil || n.Plan.Nodes < 1 || n.Plan.Nodes > maxDevNodes {
		return note{}, fail(exitError, "%s is no note of a balsa cluster: name another --data, or remove it",
			notePath(data))
	}
	n.Plan.data = data
	return n, nil
}

// write puts the note in the place of the one before, at once: a reader sees the one or the other.
func (n note) write() error {
	content, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	path := notePath(n.Plan.data)
	if err := os.WriteFile(path+".new", append(content, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// fits refuses a plan that is not that of the cluster which the directory holds already: ids
// and addresses of the peers are what a cluster is founded with.
func (p plan) fits(n note) error {
	was := n.Plan
	if p.Nodes == was.Nodes && p.RaftPort == was.RaftPort {
		return nil
	}
	return fail(exitError, "%s holds a cluster of %s with --raft-port %d: use these, another --data, or "+
		"balsa dev --ephemeral, or remove it with balsa cluster clean%s", p.data, count(was.Nodes, "node"),
		was.RaftPort, dataFlag(p.data))
}

func (p plan) raft(n int) string { return loopback(p.RaftPort + n - 1) }
func (p plan) http(n int) string { return loopback(p.HTTPPort + n - 1) }

func (p plan) endpoints() (urls []string) {
	for n := 1; n <= p.Nodes; n++ {
		urls = append(urls, "http://"+p.http(n))
	}
	return urls
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// nodeDir is where a node keeps its data.
func (p plan) nodeDir(n int) string { return filepath.Join(p.data, fmt.Sprint(n)) }

// arguments is what node n, counted from 1, is started with.
func (p plan) arguments(n int) []string {
	with, whom := "--peers", make([]string, p.foundedWith())
	for i := range whom {
		whom[i] = fmt.Sprintf("%d=%s", i+1, p.raft(i+1))
	}
	if p.joins(n) {
		with, whom = "--join", slices.Delete(p.endpoints(), n-1, n)
	}
	return append(p.configFlag(), "serve", "--id", fmt.Sprint(n), "--data", p.nodeDir(n), "--raft", p.raft(n),
		"--http", p.http(n), "--advertise-http", "http://"+p.http(n), with, strings.Join(whom, ","),
		"--raft-by-hand", "--log-level", p.LogLevel)
}

// configFlag hands our file of settings on to a process of ours.
func (p plan) configFlag() []string {
	if p.config == "" {
		return nil
	}
	return []string{"--config", p.config}
}

// portsFree names every port that is taken, so that nobody mends them one by one.
func (p plan) portsFree() error {
	var taken []string
	for n := 1; n <= p.Nodes; n++ {
		taken = append(taken, p.taken(n)...)
	}
	if len(taken) == 0 {
		return nil
	}
	advice := "choose other ports with --http-port and --raft-port"
	if len(founders(p.data)) > 0 { // whose ports for peers are part of what it is
		advice = "take balsa dev --ephemeral, or another --data, with other ports (--http-port, --raft-port)"
	}
	return fail(exitError, "in use on 127.0.0.1: port %s: another cluster may be running; stop it, or %s",
		strings.Join(taken, ", "), advice)
}

// taken are the ports of a node that somebody listens on.
func (p plan) taken(n int) (ports []string) {
	for _, address := range []string{p.http(n), p.raft(n)} {
		if probe(address) != nil {
			ports = append(ports, strings.TrimPrefix(address, "127.0.0.1:"))
		}
	}
	return ports
}

// vacant says before anything is made or started why it could not be: a cluster runs there, or ports are
// taken.
func (p plan) vacant() error {
	if _, err := os.Stat(p.data); err == nil {
		lock, err := claim(p.data)
		if err != nil {
			return err
		}
		_ = lock.Close()
		if err := p.fitsFounders(); err != nil {
			return err
		}
	}
	return p.portsFree()
}

// claim locks the data directory for a supervisor. The lock ends with the process, however that ends.
func claim(data string) (disk.Dir, error) {
	dir, err := disk.OS(data)
	switch {
	case errors.Is(err, disk.ErrLocked):
		return nil, fail(exitError,
			"a cluster runs with the data in %s: stop it first, with balsa cluster stop%s", data,
			dataFlag(data))
	case errors.Is(err, fs.ErrPermission):
		return nil, fail(exitError, "--data %s: %w: give this user the right to read and write it", data, err)
	case err != nil:
		return nil, failure{exitError, err}
	}
	return dir, nil
}

// dataFlag is what has to be added to a verb that finds the cluster of a directory; nothing for the usual
// one.
func dataFlag(data string) string {
	if data == standardData() {
		return ""
	}
	return " --data " + data
}

func standardData() string { return filepath.Join(".balsa", "dev") }
