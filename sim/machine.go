package sim

import (
	"balsa/raft"
	"balsa/replica"
)

// endOnMachine performs what is under way on the state machine.
func (s *server) endOnMachine(cause uint64) {
	w := s.onMachine
	s.onMachine = nil
	switch w := w.(type) {
	case replica.Apply:
		s.endApply(cause, w)
	case replica.Capture:
		s.endCapture(cause, w)
	case replica.Restore:
		s.endRestore(cause, w)
	}
}

func (s *server) endApply(cause uint64, a replica.Apply) {
	m := s.watched
	m.entries = a.Entries
	ran := a.Perform(m.front)
	if ran.Err == nil {
		m.pass(nil)
		m.judge(ran)
	}
	m.touched = m.touched[:0]
	results := uint64(len(ran.Results))
	for _, r := range ran.Results {
		results = mix(results, hashBytes(r.Bytes))
	}
	p := s.world.note(Record{Kind: Applied, Cause: cause, Node: s.id, N: uint64(s.through.Index),
		Hash: results})
	s.world.attempt(s, p, ran)
}

// watched is a state machine under the eyes of the checks.
type watched struct {
	replica.StateMachine
	server  *server
	front   *replica.Machine // before this one
	entries []raft.Entry     // to be applied, some of which the machine never sees
	touched []raft.Index     // which it has seen of those that are being applied
	jumped  Time             // when it was restored for the last time
}

// underEyes puts a state machine under the eyes of the checks, and the sessions in front of it.
func underEyes(s *server, machine replica.StateMachine) *watched {
	m := &watched{StateMachine: machine, server: s}
	m.front = replica.NewMachineWithin(m, s.world.options.remembered())
	return m
}

// NextExpiry asks the machine, if it lets anything expire.
func (m *watched) NextExpiry() (at raft.Time, any bool) {
	if e, is := m.StateMachine.(replica.Expirer); is {
		return e.NextExpiry()
	}
	return 0, false
}

// Expire is called only when NextExpiry has named a time.
func (m *watched) Expire(e raft.Entry) { m.StateMachine.(replica.Expirer).Expire(e) }

// Apply applies an entry, or panics if it was poisoned.
func (m *watched) Apply(e raft.Entry) []byte {
	s := m.server
	if s.trouble.poisoned {
		s.trouble.poisoned, s.trouble.panicked = false, true
		panic("poisoned by the script")
	}
	for m.entries[0].Index < e.Index {
		m.pass(m.entries[:1])
	}
	result := m.StateMachine.Apply(e)
	s.through, m.touched = e.ID(), append(m.touched, e.Index)
	s.ledger.applies(s.world.moment(), s.id, m.entries[0], result) // as it is in the log
	m.entries = m.entries[1:]
	return result
}

// pass tells the checks of entries that are applied without the machine, of all that are left if none are
// named.
func (m *watched) pass(entries []raft.Entry) {
	if entries == nil {
		entries = m.entries
	}
	for _, e := range entries {
		m.server.through = e.ID()
		m.server.ledger.applies(m.server.world.moment(), m.server.id, e, nil)
	}
	m.entries = m.entries[len(entries):]
}

// judge shows the checks what became of each entry, once all of them are applied.
func (m *watched) judge(ran replica.Ran) {
	w, touched := m.server.world, m.touched
	for i, e := range ran.Entries {
		saw := len(touched) > 0 && touched[0] == e.Index
		if saw {
			touched = touched[1:]
		}
		m.server.ledger.ran(w.moment(), m.server.id, e.Index, saw, ran.Results[i])
	}
}
