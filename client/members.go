package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Changes of the membership go to the leader, whom the client finds as for writes. One at a time is made:
// while another one is open, be it the leader's own, the call waits for it, as long as its context or the
// client's patience allows. A change whose outcome is unknown is not asked for again, as in the meantime
// somebody else may have decided otherwise: the client looks at the members instead, until they show it. If
// they do not, the error is of class ErrOutcomeUnknown.
//
// Each returns the index of a committed configuration in which the change is complete. That it was so before
// is no error.

// NewMember is a node that is to be added.
type NewMember struct {
	ID          uint64
	Incarnation string // of its data directory, as its Status says
	Address     string // where peers reach it
	API         string // where clients reach it; may be empty
	AutoPromote *bool  // of the whole cluster: learners that have caught up get a vote; nil: as it is
	Version     uint32 // the newest cluster version that its program supports; 0: not said
}

// AddMember adds a node as a learner. It is no error if the node, with that incarnation, is a member already.
// Every error is an *Error; one with CodeMemberExists says that another data directory has the id.
func (c *Client) AddMember(ctx context.Context, m NewMember) (configuration uint64, err error) {
	request := MemberRequest(m)
	return c.change(ctx, call{method: http.MethodPost, path: PathMembers}, request, func(now Cluster) bool {
		member, is := now.Member(m.ID)
		return is && member.Incarnation == m.Incarnation
	})
}

// ChangeOption changes how a change of the membership is made.
type ChangeOption func(*changing)

// changing is what the options of a change come to.
type changing struct {
	force       bool
	incarnation string
	autoPromote *bool
}

// Force skips the questions whether the voters answer now and lag little, and no other. If they never come,
// nothing is committed any more, and the change cannot be taken back.
func Force() ChangeOption { return func(c *changing) { c.force = true } }

// OfIncarnation has RemoveMember remove a member only as long as it is that data directory: whatever has
// taken its place meanwhile stays.
func OfIncarnation(incarnation string) ChangeOption {
	return func(c *changing) { c.incarnation = incarnation }
}

// WithAutoPromote says, with the same change, whether learners that have caught up get a vote by themselves.
func WithAutoPromote(on bool) ChangeOption { return func(c *changing) { c.autoPromote = &on } }

func changingWith(options []ChangeOption) (c changing) {
	for _, option := range options {
		option(&c)
	}
	return c
}

// PromoteMember gives a learner a vote. Every error is an *Error; one with CodeLearnerBehind says that it has
// not caught up yet.
func (c *Client) PromoteMember(ctx context.Context, id uint64, options ...ChangeOption) (uint64, error) {
	return c.patch(ctx, id, MemberPatch{Role: RoleVoter}, options)
}

// DemoteMember takes a voter's vote, and leaves it a learner. Every error is an *Error; one with
// CodeWouldBePromoted says that learners are promoted by themselves, see WithAutoPromote.
func (c *Client) DemoteMember(ctx context.Context, id uint64, options ...ChangeOption) (uint64, error) {
	return c.patch(ctx, id, MemberPatch{Role: RoleLearner}, options)
}

// UpdateMember notes where peers and clients reach a member; empty leaves it as it is. Members that run say
// it by themselves: this is for one that cannot. Every error is an *Error.
func (c *Client) UpdateMember(ctx context.Context, id uint64, address, api string) (uint64, error) {
	return c.patch(ctx, id, MemberPatch{Address: address, API: api}, nil)
}

func (c *Client) patch(
	ctx context.Context, id uint64, patch MemberPatch, options []ChangeOption,
) (uint64, error) {
	o := changingWith(options)
	patch.Force, patch.AutoPromote = o.force, o.autoPromote
	call := call{method: http.MethodPatch, path: memberPath(id)}
	return c.change(ctx, call, patch, func(now Cluster) bool {
		m, is := now.Member(id)
		fits := func(wanted, has string) bool { return wanted == "" || wanted == has }
		return is && fits(patch.Role, m.Role) && fits(patch.Address, m.Address) && fits(patch.API, m.API)
	})
}

func memberPath(id uint64) string { return PathMember + strconv.FormatUint(id, 10) }

// RemoveMember removes a voter or a learner, the leader too. Every error is an *Error; one of class
// ErrNotFound says that there is no such member.
func (c *Client) RemoveMember(ctx context.Context, id uint64, options ...ChangeOption) (uint64, error) {
	o, query := changingWith(options), ""
	if o.force {
		query = "&force"
	}
	if o.incarnation != "" {
		query += "&incarnation=" + url.QueryEscape(o.incarnation)
	}
	if query != "" {
		query = "?" + query[1:]
	}
	return c.change(ctx, call{method: http.MethodDelete, path: memberPath(id) + query}, nil,
		func(now Cluster) bool {
			m, is := now.Member(id)
			return !is || m.Role == RoleLeaving || o.incarnation != "" && m.Incarnation != o.incarnation
		})
}

// SetVoters makes the named members the voters, in one change: learners among them get a vote, and other
// voters leave the cluster, but for those in learners, which lose their vote only. Every error is an *Error.
func (c *Client) SetVoters(
	ctx context.Context, voters, learners []uint64, options ...ChangeOption,
) (configuration uint64, err error) {
	request := VotersRequest{Voters: voters, Learners: learners, Force: changingWith(options).force}
	return c.change(ctx, call{method: http.MethodPut, path: PathMembers}, request, func(now Cluster) bool {
		vote := 0
		for _, m := range now.Members {
			if m.Role == RoleVoter {
				vote++
			}
			if slices.Contains(voters, m.ID) != (m.Role == RoleVoter) {
				return false
			}
		}
		return vote == len(voters)
	})
}

// UpdateCluster changes what concerns all members; nil leaves it as it is. Every error is an *Error.
func (c *Client) UpdateCluster(ctx context.Context, patch ClusterPatch) (configuration uint64, err error) {
	return c.change(ctx, call{method: http.MethodPatch, path: PathCluster}, patch, func(now Cluster) bool {
		return (patch.AutoPromote == nil || now.AutoPromote == *patch.AutoPromote) &&
			(patch.LeaseDrift == nil || now.LeaseDrift == *patch.LeaseDrift)
	})
}

// TransferLeadership has the leader hand over, to a voter or with 0 to the one that is fittest, and returns
// who leads then. Every error is an *Error; after one of class ErrOutcomeUnknown either may lead.
func (c *Client) TransferLeadership(ctx context.Context, to uint64) (leader uint64, err error) {
	body, err := json.Marshal(TransferRequest{To: to})
	if err != nil {
		return 0, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied}
	}
	var done TransferBody
	err = c.ask(ctx, call{method: http.MethodPost, path: PathTransfer, body: body, write: true}, &done)
	return done.Leader, err
}

// Cluster returns the members as the leader sees them, once it has made sure that it leads. Every error is an
// *Error.
func (c *Client) Cluster(ctx context.Context) (now Cluster, err error) {
	err = c.ask(ctx, call{method: http.MethodGet, path: PathCluster}, &now)
	return now, err
}

// ClusterAt returns the members as one node, named by its endpoint, sees them by itself, which may be old. It
// is sent once. Every error is an *Error.
func (c *Client) ClusterAt(ctx context.Context, endpoint string) (now Cluster, err error) {
	normal, err := normalize(endpoint)
	if err != nil {
		return now, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied}
	}
	call := call{method: http.MethodGet, path: PathCluster + "?stale"}
	a, failure := c.try(ctx, normal, call)
	if failure != nil {
		return now, ofOlder(failure)
	}
	return now, a.decode(call, &now)
}

// ask carries out a call and reads the answer's body.
func (c *Client) ask(ctx context.Context, call call, into any) error {
	call.members = true
	a, err := c.do(ctx, call)
	if err != nil {
		return ofOlder(err)
	}
	return a.decode(call, into)
}

// ofOlder says what it means that a node has no such path: in the middle of an upgrade the leader may still
// run a program from before members could change.
func ofOlder(err error) error {
	said := (*Error)(nil)
	if !errors.As(err, &said) || said.Code != CodeNotFound {
		return err
	}
	clear := *said
	clear.Message = "this node runs a program that does not know the members yet: start every node with a " +
		"later one"
	return &clear
}

func (a *answer) decode(call call, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return foreign(call, a.endpoint, http.StatusOK, "the answer is no JSON")
	}
	return nil
}

// change has the leader make a change, and looks whether it was made where nobody said.
func (c *Client) change(
	ctx context.Context, call call, request any, made func(Cluster) bool,
) (configuration uint64, err error) {
	call.write = true
	if request != nil {
		body, err := json.Marshal(request)
		if err != nil {
			return 0, &Error{Code: CodeBadRequest, Message: err.Error(), Outcome: NotApplied}
		}
		call.body = body
	}
	ctx, cancel := c.bound(ctx, call)
	defer cancel()
	var done ChangeBody
	err = c.ask(ctx, call, &done)
	if !errors.Is(err, ErrOutcomeUnknown) {
		return done.Configuration, err
	}
	for settled := 0; settled < looks && ctx.Err() == nil; pause(ctx, longestPause) {
		now, look := c.Cluster(ctx)
		switch {
		case look != nil || !now.Settled():
			settled = 0 // what is under way may be this change
		case made(now):
			return now.Configuration, nil
		default:
			settled++
		}
	}
	return 0, err
}

// looks is how often in a row the leader must show other members, with no change under way, until a client
// gives up a change of which nobody said what became. The request may still be on its way, so its outcome
// stays unknown.
const looks = 4
