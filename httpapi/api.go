package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"balsa"
	"balsa/client"
	"balsa/kv"
	"balsa/raft"
)

// Node is what the API needs of a node; *balsa.Node is one. Its methods are called concurrently, and their
// errors are *balsa.Error.
type Node interface {
	Proposer
	Sessions
	Tools
	Membership
	// Read waits until the state machine is as new as the mode demands.
	Read(ctx context.Context, mode balsa.ReadMode) (balsa.ReadState, error)
	// Status may block as long as the node's loop does.
	Status() balsa.Status
	// Done is closed when the node has ended.
	Done() <-chan struct{}
	// Snapshot makes a snapshot of the node's own state durable.
	Snapshot(ctx context.Context) (raft.Index, error)
}

// Tools is the part of a node that operators' tools need.
type Tools interface {
	// Backup captures the state, to be written.
	Backup(ctx context.Context, mode balsa.ReadMode) (*balsa.Backup, error)
	// HashAt asks for the hash of the state right after an entry that is not applied yet.
	HashAt(ctx context.Context, index raft.Index) (*balsa.Hashing, error)
	// AdvanceTo has the log come to an index.
	AdvanceTo(ctx context.Context, index raft.Index) error
}

// Proposer is the part of a node that replicates commands.
type Proposer interface {
	// Propose replicates a command, wherever the leader is, and returns what the state machine made of it.
	Propose(ctx context.Context, command []byte) ([]byte, error)
	// ProposeLocal is Propose at the leader, and refuses elsewhere.
	ProposeLocal(ctx context.Context, command []byte) ([]byte, error)
	// ProposeOnce is Propose of a command that is applied once under its key.
	ProposeOnce(ctx context.Context, key string, ttl time.Duration, command []byte) (balsa.Applied, error)
	// ProposeOnceLocal is ProposeOnce at the leader, and refuses elsewhere.
	ProposeOnceLocal(
		ctx context.Context, key string, ttl time.Duration, command []byte,
	) (balsa.Applied, error)
}

// Sessions is the part of a node that keeps sessions.
type Sessions interface {
	// NewSession opens a session, wherever the leader is.
	NewSession(ctx context.Context, ttl time.Duration) (*balsa.Session, error)
	// NewSessionLocal is NewSession at the leader, and refuses elsewhere.
	NewSessionLocal(ctx context.Context, ttl time.Duration) (*balsa.Session, error)
	// Resume returns a session that was opened at any node. It asks nobody.
	Resume(id raft.Index, next uint64) *balsa.Session
}

// Membership is the part of a node that knows the members and, at the leader, changes them.
type Membership interface {
	// ChangeMembership returns the index of the configuration that a change has led to, once it is committed.
	ChangeMembership(ctx context.Context, change raft.Change) (raft.Index, error)
	// TransferLeadership hands over, to whoever is fit if nobody is named, and returns who leads then.
	TransferLeadership(ctx context.Context, to raft.NodeID) (raft.NodeID, error)
	// Members returns the configuration in force and its index.
	Members() (raft.Configuration, raft.Index)
}

// Config says what the API serves.
type Config struct {
	Node   Node         // required
	Store  *kv.Store    // the node's state machine; required
	Logger *slog.Logger // takes what a person should look into, and never a key or a value; nil means silence
	// Members carries requests to the other members, for what all of them must answer; nil means one that
	// gives up early on a member that is down.
	Members *http.Client
}

// New returns the handler of the whole API. Serve it with Server, whose limits belong to it.
func New(config Config) http.Handler {
	a := &api{node: config.Node, store: config.Store, logger: config.Logger, probe: probe{node: config.Node}}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	a.backups, a.members = make(chan struct{}, maxBackups), config.Members
	if a.members == nil {
		a.members = &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
			DialContext: (&net.Dialer{Timeout: heardTimeout}).DialContext}}
	}
	a.crossOrigin = http.NewCrossOriginProtection()
	a.routes = routes()
	return a
}

// The limits of Server. A request's own limits, on its body and its time, are kept by the handler.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	writeTimeout  = maxTimeout + 30*time.Second
	// maxHeader has room for the longest key with every byte escaped, and for keys that are too long by far:
	// beyond it HTTP itself refuses, with no word of ours.
	maxHeader = 32 * 3 * kv.MaxKey
)

// Server returns a server for the handler with limits on everything that a peer can draw out: headers, idle
// connections and slow readers. The caller listens, serves and shuts down.
func Server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		WriteTimeout:      writeTimeout,
		MaxHeaderBytes:    maxHeader,
	}
}

type api struct {
	node        Node
	store       *kv.Store
	logger      *slog.Logger
	routes      []route
	probe       probe
	crossOrigin *http.CrossOriginProtection
	backups     chan struct{} // holds one for each that is being written
	members     *http.Client
}

// handler carries out a request. It has written nothing if it returns a problem.
type handler func(*call) *problem

// route is one path, or with a trailing slash every path below it, whose rest is a key.
type route struct {
	path       string
	methods    map[string]handler
	allow      string            // for the Allow header
	parameters string            // the query's, separated by spaces; timeout is everywhere
	conditions map[string]string // request headers that would change the meaning, by method
	patience   time.Duration     // without ?timeout
	health     bool              // to be answered even when the node's loop is stuck
}

// The parameters of a key: those that say what a read must see and how it is shown, and those that say what a
// node does that does not lead.
const (
	readParameters  = "consistency level consistent stale max_stale min_revision format"
	reachParameters = "redirect local"
)

// writeConditions are headers that ask for something which this version does not do with a write.
const writeConditions = "If-Match If-None-Match If-Modified-Since If-Unmodified-Since " +
	"Content-Range Content-Encoding"

func routes() []route {
	const read, readConditions = "GET, HEAD", "If-Match If-Unmodified-Since"
	one := func(path string, h handler) route {
		methods := map[string]handler{"GET": h, "HEAD": h}
		return route{path: path, methods: methods, allow: read, patience: defaultTimeout}
	}
	health := func(path string, h handler) route {
		r := one(path, h)
		r.parameters, r.patience, r.health = "verbose", healthTimeout, true
		return r
	}
	unkeyed := func(path, method string, h handler, parameters string, patience time.Duration) route {
		return route{path: path, methods: map[string]handler{method: h}, allow: method, patience: patience,
			parameters: parameters,
			conditions: map[string]string{method: writeConditions + " " + client.HeaderIdempotencyKey}}
	}
	return append(memberRoutes(), []route{
		{
			path: client.PathKV,
			methods: map[string]handler{"GET": getKey, "HEAD": getKey, "PUT": putKey, "DELETE": deleteKey,
				"POST": incrementKey},
			allow:      read + ", PUT, DELETE",
			parameters: readParameters + " " + reachParameters + " ttl",
			conditions: map[string]string{"GET": readConditions, "HEAD": readConditions,
				"PUT": writeConditions, "DELETE": writeConditions, "POST": writeConditions},
			patience: defaultTimeout,
		},
		{
			path:       client.PathSubmit,
			methods:    map[string]handler{"POST": submitCommand},
			allow:      "POST",
			parameters: "forward",
			conditions: map[string]string{"POST": writeConditions},
			patience:   defaultTimeout,
		},
		unkeyed(client.PathSessions, "POST", openSession, reachParameters, defaultTimeout),
		unkeyed(client.PathSession, "DELETE", closeSession, reachParameters, defaultTimeout),
		unkeyed(client.PathSnapshot, "POST", takeSnapshot, "", maxTimeout),
		unkeyed(client.PathBackup, "GET", backup, "consistency level consistent stale max_stale rate",
			defaultTimeout),
		unkeyed(client.PathCheck, "GET", checkStates, "index", checkTimeout),
		one(client.PathLeader, showLeader),
		one(client.PathClientStatus, showClientStatus),
		one(client.PathClientGet, showOwnKey),
		one(client.PathClientKV, showOwnState),
		one(client.PathStatus, showStatus),
		health(client.PathLive, showLive),
		health(client.PathReady, showReady),
		health(client.PathHealth, showReady),
	}...)
}

// find returns the route of a path as it was sent, and the still escaped key behind it. The standard
// library's ServeMux is of no use here: it redirects what it thinks untidy, and a//b and .. are keys.
func (a *api) find(path string) (r *route, escapedKey string) {
	for i := range a.routes {
		r := &a.routes[i]
		rest, below := strings.CutPrefix(path, r.path)
		if below && (rest == "" || strings.HasSuffix(r.path, "/")) {
			return r, rest
		}
	}
	return nil, ""
}

// ServeHTTP answers one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{api: a, w: w, r: r}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if p := c.serve(); p != nil {
		c.fail(p)
	}
}
