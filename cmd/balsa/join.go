package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"balsa/client"
	"balsa/raft"
)

// serve --join: a node with an empty data directory asks a running cluster for its id, founds the directory
// with that, starts, and then asks the cluster to add it, under its incarnation and its addresses, until it
// is added or refused for good. A later start asks nobody, unless the one before ended before the node was
// told who the members are. It then looks at the members first, and asks again only if it certainly was not
// added: who was removed does not come back by itself.

const (
	// joinPatience is how long a first start tries to reach the cluster, joinTry how long it goes on with one
	// question, until it looks again how things stand.
	joinPatience = 30 * time.Second
	joinTry      = 5 * time.Second
)

// joiner asks a cluster, through whichever of its nodes answers.
type joiner struct {
	cluster *client.Client
	log     *slog.Logger
}

func newJoiner(s settings) (joiner, error) {
	cluster, err := client.New(s.join, client.WithPatience(joinTry))
	if err != nil {
		return joiner{}, fail(exitUsage, "--join: %w", err)
	}
	return joiner{cluster: cluster, log: s.node.Logger}, nil
}

// insist tries again, with pauses, what failed for a reason that passes, as long as the context lasts. It
// returns why the last try has failed.
func (j joiner) insist(ctx context.Context, what string, try func() error) error {
	told := time.Time{}
	for {
		err := try()
		if err == nil || !passes(err) {
			return err
		}
		if time.Since(told) > 10*time.Second && ctx.Err() == nil {
			j.log.Warn("Tries again to "+what, "error", err)
			told = time.Now()
		}
		if !pauseFor(ctx, 500*time.Millisecond) {
			return err
		}
	}
}

// passes tells what passes from what does not: it passes when the answer says when to come back, or that it
// is the server's fault, or when there was none.
func passes(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && (errors.Is(e, client.ErrUnavailable) ||
		errors.Is(e, client.ErrOutcomeUnknown) || e.RetryAfter > 0 || e.Status >= 500)
}

// identify asks for the id of the cluster. Any node knows it, also without a leader.
func (j joiner) identify(ctx context.Context) (id raft.ClusterID, err error) {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	err = j.insist(ctx, "ask for the id of the cluster", func() error {
		var failed error
		for _, endpoint := range j.cluster.Endpoints() {
			status, err := j.cluster.Status(ctx, endpoint)
			raw, _ := hex.DecodeString(status.Cluster)
			switch {
			case err != nil && !passes(err):
				return fmt.Errorf("%s does not answer as a node of balsa does: %w", endpoint, err)
			case err != nil:
				failed = err
			case len(raw) != len(id):
				return fmt.Errorf("%s does not answer as a node of balsa does", endpoint)
			default:
				id = raft.ClusterID(raw)
				return nil
			}
		}
		return failed
	})
	return id, err
}

// candidate is what joining needs of a node.
type candidate interface {
	Identity() raft.Identity
	Members() (raft.Configuration, raft.Index)
	AskedToJoin() (bool, error)
	NoteAskedToJoin(asked bool) error
}

// announce has the cluster add the node, and returns when the node was told who the members are, or is
// refused for good: that is the error.
func (j joiner) announce(ctx context.Context, node candidate) error {
	asked, err := node.AskedToJoin()
	for err == nil && !added(node) && ctx.Err() == nil {
		err = j.insist(ctx, "be added to the cluster", func() error {
			if added(node) {
				return nil
			}
			is, err := j.look(ctx, node, asked)
			if err == nil && !is {
				err = j.ask(ctx, node)
			}
			return err
		})
		if err != nil {
			return err
		}
		if !asked {
			j.log.Info("Added to the cluster")
			asked = true
		}
		pauseFor(ctx, 300*time.Millisecond) // until the leader's first message has come
	}
	return err
}

// look reports whether the node is a member. One that is none, although it may have been added, is refused.
func (j joiner) look(ctx context.Context, node candidate, asked bool) (is bool, err error) {
	now, err := j.cluster.Cluster(ctx)
	if err != nil {
		return false, err
	}
	self := node.Identity()
	m, known := now.Member(uint64(self.Node))
	switch {
	case known && m.Role != client.RoleLeaving && m.Incarnation == incarnation(self):
		if m.Address != self.Address { // it has moved, and the leader calls where it was
			_, err = j.cluster.UpdateMember(ctx, m.ID, self.Address, self.API)
		}
		return true, err
	case !asked:
		return false, nil
	case !now.Settled():
		return false, &client.Error{Code: client.CodeChangeInProgress, Outcome: client.NotApplied,
			Message: "a change of the members is under way"}
	}
	return false, fmt.Errorf("node %v has asked before to be added, and is no member: it was removed "+
		"meanwhile, or never added. It does not come back by itself: start it with --join and an empty data "+
		"directory, or, to have this one added, run: %s", self.Node, j.addCommand(self))
}

// addCommand is what a person types to have the node added.
func (j joiner) addCommand(self raft.Identity) string {
	command := fmt.Sprintf("%s member add %v --incarnation %s --raft %s", programName(), self.Node,
		incarnation(self), self.Address)
	if self.API != "" {
		command += " --http " + self.API
	}
	return command + " --endpoints " + strings.Join(j.cluster.Endpoints(), ",")
}

// ask asks for the node to be added, and notes durably that it does. What was certainly in vain is taken
// back, unless an earlier request may still be carried out.
func (j joiner) ask(ctx context.Context, node candidate) error {
	before, err := node.AskedToJoin()
	if err == nil {
		err = node.NoteAskedToJoin(true)
	}
	if err != nil {
		return err
	}
	self := node.Identity()
	_, err = j.cluster.AddMember(ctx, client.NewMember{ID: uint64(self.Node), Incarnation: incarnation(self),
		Address: self.Address, API: self.API, Version: self.Version})
	if err != nil && !before && !errors.Is(err, client.ErrOutcomeUnknown) {
		return errors.Join(err, node.NoteAskedToJoin(false))
	}
	return err
}

// incarnation is that of a node, as the API writes it.
func incarnation(self raft.Identity) string { return strconv.FormatUint(uint64(self.Incarnation), 16) }

// added reports whether the node was ever told who the members are. One that was removed since does not come
// back by itself.
func added(node candidate) bool {
	members, _ := node.Members()
	return len(members.Members) > 0
}

// joining is a node that asks in the background.
type joining struct {
	refused chan error // why the node is refused for good
	stop    func()     // returns when it asks no more
}

// keepJoining asks in the background, until the node is added, refused, or told to stop.
func keepJoining(ctx context.Context, s settings, node candidate) (joining, error) {
	ctx, cancel := context.WithCancel(ctx)
	refused, ended := make(chan error, 1), make(chan struct{})
	stop := func() { cancel(); <-ended }
	if len(s.join) == 0 || added(node) {
		close(ended)
		return joining{refused, stop}, nil
	}
	j, err := newJoiner(s)
	if err != nil {
		cancel()
		return joining{}, err
	}
	go func() {
		defer close(ended)
		defer j.cluster.Close()
		if err := j.announce(ctx, node); err != nil && ctx.Err() == nil {
			refused <- fail(exitError, "the cluster does not take this node: %w", err)
		}
	}()
	return joining{refused, stop}, nil
}

// checkJoin reads the URLs of the cluster to join.
func (f *serveFlags) checkJoin(s *settings, wrong *mistakes) {
	for _, raw := range f.join {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" ||
			strings.TrimSuffix(raw, "/") != u.Scheme+"://"+u.Host {
			wrong.add("--join: %q is not the URL of a node, as in http://127.0.0.1:8001", raw)
		}
		s.join = append(s.join, strings.TrimSuffix(raw, "/"))
	}
	switch {
	case len(f.join) == 0:
		return
	case f.peers != "":
		wrong.add("--join and --peers are both given: a node founds a cluster with others, or joins one")
	case f.cluster != "":
		wrong.add("--join and --cluster are both given: the cluster that is joined says which it is")
	}
	if f.raft == "" {
		wrong.add("--raft is missing: a node that joins says where it listens for peers, " +
			"as in --raft 127.0.0.1:7004")
	}
}
