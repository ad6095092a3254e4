package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"balsa"
	"balsa/client"
	"balsa/raft"
)

// town is a node of a cluster, as far as one that joins sees it: it answers the requests to add a member one
// after the other as a test says, and the last answer again and again.
type town struct {
	*httptest.Server
	mutex   sync.Mutex
	answers []townAnswer
	asked   []client.MemberRequest
	cluster client.Cluster
	leads   string // the URL of the node that leads; empty: this one
}

type townAnswer struct {
	status  int
	problem client.ErrorDetail
}

// accepted adds the member.
var accepted = townAnswer{status: http.StatusAccepted}

func newTown(t *testing.T, answers ...townAnswer) *town {
	w := &town{answers: answers}
	w.cluster.Cluster = strings.Repeat("ab", 16)
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *town) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	to.Header().Set(client.HeaderServedBy, "1")
	var m client.MemberRequest
	switch {
	case r.URL.Path == client.PathStatus:
		_ = json.NewEncoder(to).Encode(client.Status{Cluster: w.cluster.Cluster})
		return
	case w.leads != "":
		a := townError(http.StatusServiceUnavailable, client.CodeLeaderChanged, "another leads", 0)
		a.problem.Leader = &client.Leader{ID: 2, URL: w.leads}
		a.write(to)
		return
	case r.URL.Path == client.PathCluster:
		_ = json.NewEncoder(to).Encode(w.cluster)
		return
	case r.Method == http.MethodPatch:
		var patch client.MemberPatch
		_ = json.NewDecoder(r.Body).Decode(&patch)
		w.cluster.Members[0].Address, w.cluster.Members[0].API = patch.Address, patch.API
		accepted.write(to)
		return
	case r.URL.Path != client.PathMembers || json.NewDecoder(r.Body).Decode(&m) != nil:
		http.Error(to, "?", http.StatusNotFound)
		return
	}
	w.asked = append(w.asked, m)
	a := w.answers[0]
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	if a.status == http.StatusAccepted {
		w.cluster.Members = []client.Member{{ID: m.ID, Role: client.RoleLearner, Incarnation: m.Incarnation,
			Address: m.Address}}
	}
	a.write(to)
}

func (a townAnswer) write(to http.ResponseWriter) {
	to.WriteHeader(a.status)
	if a.status == http.StatusAccepted {
		_ = json.NewEncoder(to).Encode(client.ChangeBody{Configuration: 5})
		return
	}
	_ = json.NewEncoder(to).Encode(client.ErrorBody{Error: a.problem})
}

func (w *town) requests() []client.MemberRequest {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.asked)
}

// set changes what the cluster is.
func (w *town) set(change func(*client.Cluster)) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	change(&w.cluster)
}

func townError(status int, code client.Code, message string, retry int64) townAnswer {
	return townAnswer{status, client.ErrorDetail{Code: code, Message: message, Outcome: client.NotApplied,
		RetryAfterMS: retry}}
}

// applicant is a node that asks to be added. It is told that it was, when it is asked often enough who the
// members are.
type applicant struct {
	asked bool // it is written down that it asks
	until int  // how often it does not know the members yet; below 0: for ever
}

func (*applicant) Identity() raft.Identity {
	return raft.Identity{Node: 4, Incarnation: 0xbeef, Address: "127.0.0.1:7004", API: "http://a:1",
		Version: 1}
}

func (a *applicant) Members() (raft.Configuration, raft.Index) {
	if a.until == 0 {
		return raft.NewConfiguration(map[raft.NodeID]string{4: "a:1"}), 0
	}
	a.until--
	return raft.Configuration{}, 0
}

func (a *applicant) AskedToJoin() (bool, error) { return a.asked, nil }

func (a *applicant) NoteAskedToJoin(asked bool) error {
	a.asked = asked
	return nil
}

func joinerAt(t *testing.T, urls ...string) joiner {
	j, err := newJoiner(settings{join: urls, node: balsa.Config{Logger: slog.New(slog.DiscardHandler)}})
	must(t, err)
	return j
}

// What passes is waited for, at whichever node; the leader is asked where another one says that it is.
func TestAnApplicantAsksUntilItIsAdded(t *testing.T) {
	leader := newTown(t, townError(http.StatusConflict, client.CodeVersionTooLow, "not heard yet", 10),
		townError(http.StatusServiceUnavailable, client.CodeNoLeader, "no leader", 0), accepted)
	follower := newTown(t)
	follower.leads = leader.URL
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	j, a := joinerAt(t, "http://127.0.0.1:1", follower.URL), &applicant{until: 6}
	if err := j.announce(ctx, a); err != nil {
		t.Fatal(err)
	}
	want := client.MemberRequest{ID: 4, Incarnation: "beef", Address: "127.0.0.1:7004", API: "http://a:1",
		Version: 1}
	if got := leader.requests(); len(got) != 3 || got[0] != want || got[2] != want || !a.asked {
		t.Errorf("the leader was asked %+v", got)
	}
	if id, err := j.identify(ctx); err != nil || id.String() != follower.cluster.Cluster {
		t.Errorf("the cluster is %v (%v)", id, err)
	}
}

func TestAnApplicantIsRefusedForGood(t *testing.T) {
	w := newTown(t, townError(http.StatusConflict, client.CodeMemberExists,
		"the id is taken: balsa member replace 4", 0))
	a := &applicant{until: -1}
	err := joinerAt(t, w.URL).announce(t.Context(), a)
	if err == nil || !strings.Contains(err.Error(), "balsa member replace 4") || len(w.requests()) != 1 ||
		a.asked {
		t.Errorf("%v, after %d requests", err, len(w.requests()))
	}
	if err := joinerAt(t, w.URL).announce(t.Context(), &applicant{}); err != nil || len(w.requests()) != 1 {
		t.Errorf("a member asks: %v", err)
	}
	w.set(func(c *client.Cluster) { c.Cluster = "none" })
	if _, err := joinerAt(t, w.URL).identify(t.Context()); err == nil ||
		!strings.Contains(err.Error(), w.URL) {
		t.Errorf("no cluster: %v", err)
	}
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	if _, err := joinerAt(t, stranger.URL).identify(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "does not answer as a node of balsa does") {
		t.Errorf("no node: %v", err)
	}
}

// Who was removed before it heard anything does not come back by itself, at the next start or at this one.
func TestAnApplicantThatWasRemovedDoesNotAskAgain(t *testing.T) {
	w := newTown(t, accepted)
	a := &applicant{asked: true, until: -1}
	refused := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := joinerAt(t, w.URL).announce(ctx, a)
		if err == nil || !strings.Contains(err.Error(), "it was removed meanwhile, or never added") ||
			!strings.Contains(err.Error(), "member add 4 --incarnation beef --raft 127.0.0.1:7004 --http "+
				"http://a:1 --endpoints "+w.URL) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("at the next start")
	w.set(func(c *client.Cluster) {
		c.Members = []client.Member{{ID: 4, Role: client.RoleLeaving, Incarnation: "beef"}}
	})
	refused("as long as it is yet to learn it")
	w.set(func(c *client.Cluster) {
		c.Members = []client.Member{{ID: 4, Role: client.RoleVoter, Incarnation: "cafe"}}
	})
	refused("when another one has taken its place")
	if got := w.requests(); len(got) != 0 {
		t.Errorf("asked %+v", got)
	}
	w.set(func(c *client.Cluster) { c.Members = nil })
	a.asked = false
	time.AfterFunc(500*time.Millisecond, func() { w.set(func(c *client.Cluster) { c.Members = nil }) })
	refused("in the same run")
	if got := w.requests(); len(got) != 1 || !a.asked {
		t.Errorf("asked %+v", got)
	}
	w.set(func(c *client.Cluster) {
		c.Members = []client.Member{{ID: 4, Role: client.RoleLearner, Incarnation: "beef"}}
	})
	a.until = 3
	if err := joinerAt(t, w.URL).announce(t.Context(), a); err != nil || len(w.requests()) != 1 {
		t.Errorf("a member that waits: %v", err)
	}
	w.set(func(c *client.Cluster) {
		if m := c.Members[0]; m.Address != "127.0.0.1:7004" || m.API != "http://a:1" {
			t.Errorf("a member that has moved is still known as %+v", m)
		}
	})
}

// What is certain of one request is not of those before it, which may still be carried out: then the node is
// added, and removed by somebody, and would add itself again at its next start.
func TestAnApplicantDoesNotTakeBackWhatItDoesNotKnow(t *testing.T) {
	lost := townError(http.StatusGatewayTimeout, client.CodeTimeout, "no answer in time", 0)
	lost.problem.Outcome = client.OutcomeUnknown
	w := newTown(t, lost, townError(http.StatusUnprocessableEntity, client.CodeBadMember, "not this one", 0))
	a := &applicant{until: -1}
	if err := joinerAt(t, w.URL).announce(t.Context(), a); err == nil || len(w.requests()) != 2 || !a.asked {
		t.Errorf("%v after %d requests; it has asked: %v", err, len(w.requests()), a.asked)
	}
}

// A first start founds the directory for the cluster that it asked; a later one needs to ask nobody.
func TestServeJoins(t *testing.T) {
	t.Chdir(t.TempDir())
	w := newTown(t, townError(http.StatusUnprocessableEntity, client.CodeBadMember, "not this one", 0))
	args := serveArgs("--id", "4", "--peers", "-", "--raft", "127.0.0.1:0", "--http", "localhost:0",
		"--advertise-raft", "127.0.0.1:7004", "--join", w.URL)
	got := command(t, "", args...)
	if got.status != exitError || !strings.Contains(got.err, "does not take this node") ||
		!strings.Contains(got.err, "not this one") || !strings.Contains(got.out, "raft 127.0.0.1:7004") {
		t.Errorf("refused: %+v", got)
	}
	asked := w.requests()
	if len(asked) != 1 || asked[0].ID != 4 || asked[0].Address != "127.0.0.1:7004" {
		t.Fatalf("asked %+v", asked)
	}
	w.set(func(c *client.Cluster) { c.Cluster = strings.Repeat("cd", 16) }) // nobody looks
	if got = command(t, "", args...); got.status != exitError || len(w.requests()) != 2 {
		t.Errorf("the second start: %+v", got)
	}
	if again := w.requests()[1]; again != asked[0] {
		t.Errorf("asked %+v, and then %+v", asked[0], again)
	}
	if got = command(t, "", "verify", "d"); !strings.Contains(got.out, strings.Repeat("ab", 16)) ||
		strings.Contains(got.out, balsa.AskedToJoin) {
		t.Errorf("%+v", got)
	}
}
