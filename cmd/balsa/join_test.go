package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
	cluster string
}

type townAnswer struct {
	status int
	body   string
	header string // Location
}

func newTown(t *testing.T, answers ...townAnswer) *town {
	w := &town{answers: answers, cluster: strings.Repeat("ab", 16)}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *town) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if r.Method == http.MethodGet && r.URL.Path == client.PathStatus {
		_ = json.NewEncoder(to).Encode(client.Status{Cluster: w.cluster})
		return
	}
	var m client.MemberRequest
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.URL.Path != client.PathMembers {
		http.Error(to, "?", http.StatusNotFound)
		return
	}
	w.asked = append(w.asked, m)
	a := w.answers[0]
	if len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	if a.header != "" {
		to.Header().Set("Location", a.header+client.PathMembers)
	}
	to.WriteHeader(a.status)
	_, _ = io.WriteString(to, a.body)
}

func (w *town) requests() []client.MemberRequest {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.asked)
}

func townError(status int, message string, retry int) townAnswer {
	return townAnswer{status: status, body: fmt.Sprintf(
		`{"error":{"code":"x","message":%q,"outcome":"not_applied","retry_after_ms":%d}}`, message, retry)}
}

// applicant is a node that asks to be added; it is, once its members are there.
type applicant struct{ members raft.Configuration }

func (applicant) Identity() raft.Identity {
	return raft.Identity{Node: 4, Incarnation: 0xbeef, Address: "127.0.0.1:7004", API: "http://a:1",
		Version: 1}
}

func (a applicant) Members() (raft.Configuration, raft.Index) { return a.members, 0 }

func joining(urls ...string) joiner {
	return newJoiner(func() (s settings) {
		s.join, s.node.Logger = urls, slog.New(slog.DiscardHandler)
		return s
	}())
}

// What passes is waited for, at whichever node; redirects are followed, with the request.
func TestAnApplicantAsksUntilItIsAdded(t *testing.T) {
	leader := newTown(t, townError(http.StatusConflict, "a change is in progress", 10),
		townError(http.StatusServiceUnavailable, "no leader", 0), townAnswer{status: http.StatusAccepted})
	follower := newTown(t, townAnswer{status: http.StatusTemporaryRedirect, header: leader.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	j := joining("http://127.0.0.1:1", follower.URL)
	if err := j.announce(ctx, applicant{}); err != nil {
		t.Fatal(err)
	}
	want := client.MemberRequest{ID: 4, Incarnation: "000000000000beef", Address: "127.0.0.1:7004",
		API: "http://a:1", Version: 1}
	if got := leader.requests(); len(got) != 3 || got[0] != want || got[2] != want {
		t.Errorf("the leader was asked %+v", got)
	}
	if id, err := j.cluster(ctx); err != nil || id.String() != follower.cluster {
		t.Errorf("the cluster is %v (%v)", id, err)
	}
}

func TestAnApplicantIsRefusedForGood(t *testing.T) {
	w := newTown(t, townError(http.StatusConflict, "the id is taken: balsa member replace 4", 0))
	err := joining(w.URL).announce(t.Context(), applicant{})
	if err == nil || !strings.Contains(err.Error(), "balsa member replace 4") || len(w.requests()) != 1 {
		t.Errorf("%v, after %d requests", err, len(w.requests()))
	}
	member := applicant{raft.NewConfiguration(map[raft.NodeID]string{4: "a:1"})}
	if err := joining(w.URL).announce(t.Context(), member); err != nil || len(w.requests()) != 1 {
		t.Errorf("a member asks: %v", err)
	}
	w.cluster = "none"
	if _, err := joining(w.URL).cluster(t.Context()); err == nil || !strings.Contains(err.Error(), w.URL) {
		t.Errorf("no cluster: %v", err)
	}
}

// A first start founds the directory for the cluster that it asked; a later one needs to ask nobody.
func TestServeJoins(t *testing.T) {
	t.Chdir(t.TempDir())
	w := newTown(t, townError(http.StatusUnprocessableEntity, "not this one", 0))
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
	w.cluster = strings.Repeat("cd", 16) // nobody looks
	if got = command(t, "", args...); got.status != exitError || len(w.requests()) != 2 {
		t.Errorf("the second start: %+v", got)
	}
	if again := w.requests()[1]; again != asked[0] {
		t.Errorf("asked %+v, and then %+v", asked[0], again)
	}
	if got = command(t, "", "verify", "d"); !strings.Contains(got.out, strings.Repeat("ab", 16)) {
		t.Errorf("%+v", got)
	}
}
