package client

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// keeper is a fake leader of a cluster whose members a test sets, and which answers changes as it says.
type keeper struct {
	shows   []Cluster          // to who looks, in turn; the last one again and again
	answers []http.HandlerFunc // to changes, in turn; the last one again and again
	asked   []string           // the changes
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(HeaderServedBy, "1")
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(k.shows[0])
		k.shows = k.shows[min(1, len(k.shows)-1):]
		return
	}
	body, _ := io.ReadAll(r.Body)
	k.asked = append(k.asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
	answer := k.answers[0]
	if len(k.answers) > 1 {
		k.answers = k.answers[1:]
	}
	answer(w, r)
}

func done(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(ChangeBody{Configuration: 17})
}

// TestChangesAreSaidAsTheyAre, as the API wants them.
func TestChangesAreSaidAsTheyAre(t *testing.T) {
	onPipes(t, func(t *testing.T, p *pipes) {
		k := &keeper{answers: []http.HandlerFunc{done}}
		p.serve("a:1", k)
		c, ctx := p.client(10*time.Second, time.Second, "a:1"), t.Context()
		on := true
		for _, change := range []struct {
			ask  func() (uint64, error)
			want string
		}{
			{func() (uint64, error) {
				return c.AddMember(ctx, NewMember{ID: 4, Incarnation: "ff", Address: "x:1", AutoPromote: &on})
			}, `POST /v1/cluster/members {"id":4,"incarnation":"ff","address":"x:1","auto_promote":true}`},
			{func() (uint64, error) { return c.PromoteMember(ctx, 4, Force()) },
				`PATCH /v1/cluster/members/4 {"role":"voter","force":true}`},
			{func() (uint64, error) { return c.DemoteMember(ctx, 4, WithAutoPromote(false)) },
				`PATCH /v1/cluster/members/4 {"role":"learner","auto_promote":false}`},
			{func() (uint64, error) { return c.UpdateMember(ctx, 4, "x:1", "http://x:2") },
				`PATCH /v1/cluster/members/4 {"address":"x:1","api":"http://x:2"}`},
			{func() (uint64, error) { return c.RemoveMember(ctx, 4) }, `DELETE /v1/cluster/members/4 `},
			{func() (uint64, error) { return c.RemoveMember(ctx, 4, Force(), OfIncarnation("a0")) },
				`DELETE /v1/cluster/members/4?force&incarnation=a0 `},
			{func() (uint64, error) { return c.SetVoters(ctx, []uint64{1, 4}, []uint64{2}, Force()) },
				`PUT /v1/cluster/members {"voters":[1,4],"learners":[2],"force":true}`},
			{func() (uint64, error) { return c.UpdateCluster(ctx, ClusterPatch{AutoPromote: new(bool)}) },
				`PATCH /v1/cluster {"auto_promote":false}`},
		} {
			k.asked = nil
			configuration, err := change.ask()
			if configuration != 17 || err != nil || len(k.asked) != 1 || k.asked[0] != change.want {
				t.Errorf("%d, %v, asked %q, want %q", configuration, err, k.asked, change.want)
			}
		}
	})
}

// TestAChangeWaitsForItsTurn, and gives up with what the leader said.
func TestAChangeWaitsForItsTurn(t *testing.T) {
	busy := refuse(409, ErrorDetail{Code: CodeChangeInProgress, Outcome: NotApplied, RetryAfterMS: 100})
	onPipes(t, func(t *testing.T, p *pipes) {
		k := &keeper{answers: []http.HandlerFunc{busy, busy, busy, done}}
		follows := &keeper{answers: []http.HandlerFunc{follower(1)}}
		p.serve("a:1", k)
		p.serve("b:1", follows)
		c := p.client(10*time.Second, time.Second, "a:1", "b:1")
		if configuration, err := c.RemoveMember(t.Context(), 3); configuration != 17 || err != nil {
			t.Errorf("%d, %v", configuration, err)
		}
		if len(k.asked) != 4 || len(follows.asked) > 0 {
			t.Errorf("the leader was asked %d times, another one %d times", len(k.asked), len(follows.asked))
		}
		k.answers = []http.HandlerFunc{busy}
		var e *Error
		_, err := c.RemoveMember(t.Context(), 3)
		if !errors.As(err, &e) || e.Code != CodeChangeInProgress || !errors.Is(err, ErrUnavailable) {
			t.Errorf("never its turn: %v", err)
		}
	})
}

// TestALostAnswerIsLookedUp, and the change is not asked for a second time.
func TestALostAnswerIsLookedUp(t *testing.T) {
	voters := func(ids ...uint64) (now Cluster) {
		for _, id := range ids {
			now.Members = append(now.Members, Member{ID: id, Role: RoleVoter, Incarnation: "a"})
		}
		return now
	}
	onPipes(t, func(t *testing.T, p *pipes) {
		k := &keeper{shows: []Cluster{voters(1, 2, 3)}, answers: []http.HandlerFunc{hangUp}}
		p.serve("a:1", k)
		c := p.client(10*time.Second, time.Second, "a:1")
		began := time.Now()
		if _, err := c.RemoveMember(t.Context(), 3); !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("removed, as far as anybody knows: %v", err)
		}
		if took := time.Since(began); took > 2*time.Second || len(k.asked) != 1 {
			t.Errorf("asked %d times in %v", len(k.asked), took)
		}
		underWay, done := voters(1, 2, 3), voters(1, 2)
		underWay.Joint, done.Configuration, done.Commit = true, 21, 21
		k.shows = []Cluster{underWay, underWay, underWay, underWay, underWay, underWay, done}
		if configuration, err := c.RemoveMember(t.Context(), 3); configuration != 21 || err != nil {
			t.Errorf("%d, %v", configuration, err)
		}
		if len(k.asked) != 2 {
			t.Errorf("asked %d times", len(k.asked))
		}
	})
}

// TestAnOlderProgramIsToldApart: a node that does not know the path sends on to the leader that does, and is
// the last word when it leads.
func TestAnOlderProgramIsToldApart(t *testing.T) {
	older := func(leader uint64) http.HandlerFunc {
		return refuse(404, ErrorDetail{Code: CodeNotFound, Outcome: NotApplied, Node: 2,
			Leader: &Leader{ID: leader}})
	}
	onPipes(t, func(t *testing.T, p *pipes) {
		k := &keeper{answers: []http.HandlerFunc{done}, shows: []Cluster{{Term: 5}}}
		old := older(1)
		p.serve("b:1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(HeaderServedBy, "2")
			old(w, r)
		}))
		p.serve("a:1", k)
		c := p.client(10*time.Second, time.Second, "b:1", "a:1")
		if configuration, err := c.RemoveMember(t.Context(), 3); configuration != 17 || err != nil {
			t.Errorf("%d, %v", configuration, err)
		}
		old, k.answers = older(2), []http.HandlerFunc{follower(2)}
		_, err := c.RemoveMember(t.Context(), 3)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeNotFound || !strings.Contains(e.Message, "later one") {
			t.Errorf("while the older one leads: %v", err)
		}
	})
}
