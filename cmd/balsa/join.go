package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"balsa/client"
	"balsa/raft"
)

// serve --join: a node with an empty data directory asks a running cluster for its id, founds the directory
// with that, starts, and then asks the cluster to add it, under its incarnation and its addresses, until it
// is added or refused for good. To ask twice does no harm. A later start asks nobody, unless the one before
// ended before the node was added.

// joinPatience is how long a first start tries to reach the cluster.
const joinPatience = 30 * time.Second

// joiner asks a cluster, through whichever of its nodes answers.
type joiner struct {
	urls []string
	http *http.Client
	log  *slog.Logger
}

func newJoiner(s settings) joiner {
	return joiner{urls: s.join, http: &http.Client{Timeout: 5 * time.Second}, log: s.node.Logger}
}

// refusal is an answer after which another try is of no use.
type refusal struct{ error }

func refusedf(format string, values ...any) error { return refusal{fmt.Errorf(format, values...)} }

// everywhere asks each of the nodes until one of them answers or refuses for good, again and again with
// pauses, as long as the context lasts. It returns why the last one has not answered.
func (j joiner) everywhere(ctx context.Context, what string, ask func(url string) error) error {
	told := time.Time{}
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		var failed error
		for _, u := range j.urls {
			if failed = ask(u); failed == nil || errors.As(failed, new(refusal)) {
				return failed
			}
		}
		if time.Since(told) > 10*time.Second {
			j.log.Warn("Tries again to "+what, "error", failed)
			told = time.Now()
		}
		select {
		case <-ctx.Done():
			return failed
		case <-time.After(pause):
		}
	}
}

// cluster asks for the id of the cluster.
func (j joiner) cluster(ctx context.Context) (id raft.ClusterID, err error) {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	err = j.everywhere(ctx, "ask for the id of the cluster", func(u string) error {
		body, err := j.exchange(ctx, http.MethodGet, u+client.PathStatus, nil)
		if err != nil {
			return err
		}
		var status client.Status
		if json.Unmarshal(body, &status) == nil {
			var raw []byte
			raw, err = hex.DecodeString(status.Cluster)
			if err == nil && len(raw) == len(id) {
				id = raft.ClusterID(raw)
			}
		}
		if id == (raft.ClusterID{}) {
			return refusedf("%s does not answer as a node of balsa does", u)
		}
		return nil
	})
	return id, err
}

// candidate is what joining needs of a node.
type candidate interface {
	Identity() raft.Identity
	Members() (raft.Configuration, raft.Index)
}

// announce asks the cluster to add the node, until it is a member, or refused for good: that is the error.
func (j joiner) announce(ctx context.Context, node candidate) error {
	self := node.Identity()
	request, err := json.Marshal(client.MemberRequest{ID: uint64(self.Node),
		Incarnation: fmt.Sprintf("%016x", uint64(self.Incarnation)),
		Address:     self.Address, API: self.API, Version: self.Version})
	if err != nil {
		return err
	}
	err = j.everywhere(ctx, "be added to the cluster", func(u string) error {
		if ctx.Err() != nil || added(node) {
			return nil
		}
		_, err := j.exchange(ctx, http.MethodPost, u+client.PathMembers, request)
		return err
	})
	if err == nil && ctx.Err() == nil {
		j.log.Info("Added to the cluster")
	}
	return err
}

// added reports whether the node was ever told who the members are. One that was removed since does not come
// back by itself.
func added(node candidate) bool {
	members, _ := node.Members()
	return len(members.Members) > 0
}

// exchange sends one request and returns the body of the answer, if that is a good one. Redirects to the
// leader are followed.
func (j joiner) exchange(ctx context.Context, method, target string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, refusal{err}
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := j.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil || answer.StatusCode < 300 {
		return text, err
	}
	return nil, refusedBy(target, answer.StatusCode, text)
}

// refusedBy tells what passes from what does not: it passes when the answer says when to come back, or that
// it is the server's fault.
func refusedBy(target string, status int, text []byte) error {
	var body client.ErrorBody
	_ = json.Unmarshal(text, &body)
	said := cmp.Or(body.Error.Message, http.StatusText(status))
	passes := status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout ||
		status == http.StatusMisdirectedRequest || body.Error.RetryAfterMS > 0
	if !passes {
		return refusedf("%s: %s", target, said)
	}
	return fmt.Errorf("%s: %s", target, said)
}

// keepJoining asks in the background, and passes on why the node is refused for good. It ends with the
// context.
func keepJoining(ctx context.Context, s settings, node candidate) <-chan error {
	refused := make(chan error, 1)
	if len(s.join) == 0 || added(node) {
		return refused
	}
	go func() {
		if err := newJoiner(s).announce(ctx, node); err != nil && ctx.Err() == nil {
			refused <- fail(exitError, "the cluster does not take this node: %w", err)
		}
	}()
	return refused
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
