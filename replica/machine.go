package replica

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"balsa/raft"
)

// ErrStateMachine is wrapped by the error of a state machine that panicked. Every server will meet the same
// command.
var ErrStateMachine = errors.New("the state machine failed")

// ErrUnknownEntry is wrapped when a committed entry is of a kind that this version cannot carry out.
// Skipping it would make this server differ from those that can.
var ErrUnknownEntry = errors.New("an entry of a kind that this version does not know")

// errGapBefore is a bug of ours or of the driver: what lies between would be lost, or applied twice.
var errGapBefore = errors.New("replica: an entry that does not follow the one before")

// StateMachine is what is replicated. Its methods are never called concurrently with each other. They must
// not call the node that they belong to: it would wait for them, and they for it.
type StateMachine interface {
	// Apply carries out a committed command and returns its result, which goes to the caller that proposed
	// it. It must be deterministic: the same entries in the same order give the same state and results on
	// every server. Errors of the domain are part of the result, which must not be changed afterwards. A
	// panic stops the server. The command must not be written to, and what is kept of it should be a copy: it
	// shares its memory with other commands, all of which would be kept with it.
	Apply(raft.Entry) []byte
	// Snapshot captures the state, cheaply: what it returns is written beside later applies.
	Snapshot() (io.WriterTo, error)
	// Restore replaces the state by one that was captured. After an error the state is as it was before.
	Restore(io.Reader) error
}

// Expirer is an optional ability of a StateMachine: to end what lasts for a time only. Time is that of the
// entries, so that everything ends at the same entry on every server. If no entry comes when something is
// due, the leader appends one that brings nothing but its time.
type Expirer interface {
	// NextExpiry returns the log time at which something is due, and whether there is anything.
	NextExpiry() (at raft.Time, any bool)
	// Expire ends what is due at the time of an entry: before the entry itself is applied, and whatever its
	// kind is.
	Expire(raft.Entry)
}

// Machine is the state machine of a server behind the sessions: what Apply, Capture and Restore work on. One
// of these at a time may be performed on it.
type Machine struct {
	inner    StateMachine
	expirer  Expirer // nil when inner is none
	sessions *sessions
	keys     *keys
	last     raft.EntryID // applied, or restored
	room     []Result     // of the last Apply, for the next one
}

// NewMachine puts the sessions and keys in front of a state machine, which must be empty.
func NewMachine(inner StateMachine) *Machine { return NewMachineWithin(inner, Limits{}) }

// Limits bound how much a Machine remembers. A field of 0 takes the bound of the format, and so does every
// server of a real cluster: with other bounds than its peers' it would push out another session than they
// do, and its state would not be theirs any more. Others are for who simulates a cluster, to reach them.
type Limits struct {
	Sessions int // that are open: 1 to 16,384
	Numbers  int // of one session: 1 to 256
	Keys     int // 1 to 131,072
}

// NewMachineWithin is NewMachine with other bounds than those of the format.
func NewMachineWithin(inner StateMachine, l Limits) *Machine {
	sessions := sessionLimits{min(cmp.Or(l.Sessions, maxSessions), maxSessions),
		min(cmp.Or(l.Numbers, maxRemembered), maxRemembered), maxRememberedBytes}
	keys := keyLimits{min(cmp.Or(l.Keys, maxKeys), maxKeys), maxKeyBytes}
	m := &Machine{inner: inner, sessions: newSessionsWithin(sessions), keys: newKeysWithin(keys)}
	m.expirer, _ = inner.(Expirer)
	return m
}

// Result is what became of an applied entry.
type Result struct {
	// Fate is Done, or why the state machine was not given the command: SessionGone, KeyReused, TooManyKeys.
	Fate     Fate
	Bytes    []byte // of the state machine; nil for entries that it never sees
	Replayed bool   // Bytes are the result of an earlier attempt; nothing was applied
}

// roomAtMost is for how many results memory is kept from one Apply to the next.
const roomAtMost = 1 << 14

// results returns memory for so many results. That of the Apply before is used again, as whoever took those
// has left it.
func (m *Machine) results(n int) []Result {
	switch {
	case n > roomAtMost:
		return make([]Result, n)
	case n > cap(m.room):
		m.room = make([]Result, n, min(2*n, roomAtMost))
	}
	return m.room[:n]
}

// answer is what the caller is told whose entry it was.
func (r Result) answer(entry raft.EntryID) Answer {
	return Answer{Fate: r.Fate, Entry: entry, Result: r.Bytes, Replayed: r.Replayed}
}

// apply carries out one entry. An error is final.
func (m *Machine) apply(e raft.Entry) (Result, error) {
	if e.Index != m.last.Index+1 || e.Term < m.last.Term {
		return Result{}, fmt.Errorf("%w: %v was to be applied right after %v", errGapBefore, e.ID(), m.last)
	}
	var once Once
	command := e.Command
	switch e.Kind {
	case raft.Normal, raft.NoOp, raft.ConfigurationChange: // the last is the core's matter
	case raft.Session:
		var err error
		if once, command, err = decodeOnce(e.Command); err != nil {
			return Result{}, fmt.Errorf("%w: entry %v: %w: run a later version of this program",
				ErrUnknownEntry, e.ID(), err)
		}
	default:
		return Result{}, fmt.Errorf("%w: entry %v is a %v: run a later version of this program",
			ErrUnknownEntry, e.ID(), e.Kind)
	}
	m.expire(e)
	m.last = e.ID()
	if e.Kind == raft.NoOp || e.Kind == raft.ConfigurationChange {
		return Result{}, nil
	}
	return m.carryOut(e, once, command), nil
}

// expire ends what is due at the time of an entry, sessions first.
func (m *Machine) expire(e raft.Entry) {
	m.sessions.expire(e.Time)
	m.keys.expire(e.Time)
	if m.expirer == nil {
		return
	}
	if at, any := m.expirer.NextExpiry(); any && at <= e.Time {
		m.expirer.Expire(e)
	}
}

func (m *Machine) carryOut(e raft.Entry, once Once, command []byte) Result {
	apply := func() []byte {
		e.Kind, e.Command = raft.Normal, command
		return m.inner.Apply(e)
	}
	switch once.What {
	case Plain:
		return Result{Bytes: apply()}
	case OpenSession:
		m.sessions.open(e, once.TTL)
	case CloseSession:
		if !m.sessions.close(once.Session) {
			return Result{Fate: SessionGone}
		}
	case InSession:
		return m.sessions.once(e, once, checksumOf(command), apply)
	case UnderKey:
		return m.keys.once(e, once, checksumOf(command), apply)
	}
	return Result{}
}

// due returns the log time at which the next thing ends, 0 when nothing will.
func (m *Machine) due() raft.Time {
	at, any := m.sessions.nextExpiry()
	if x, is := m.keys.nextExpiry(); is && (!any || x < at) {
		at, any = x, true
	}
	if m.expirer != nil {
		if x, is := m.expirer.NextExpiry(); is && (!any || x < at) {
			at, any = x, true
		}
	}
	if !any {
		return 0
	}
	return max(at, 1) // the time of an entry may be anything, and 0 says that nothing is due
}
