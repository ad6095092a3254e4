package replica

import (
	"io"

	"balsa/raft"
)

// What is in this file is for those who look at what servers have written, and carry nothing out.

// DecodeOnce reads the command of an entry of kind raft.Session: how the command in it is kept from being
// applied twice, and that command, if there is one. An entry that carries nothing but its time is of the kind
// that OnceKind.String calls a clock. An error says that no server of this version has written it.
func DecodeOnce(payload []byte) (o Once, command []byte, err error) { return decodeOnce(payload) }

// String names the kind.
func (k OnceKind) String() string {
	names := [...]string{Plain: "plain", OpenSession: "open", CloseSession: "close", InSession: "command",
		UnderKey: "keyed", passTime: "clock"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Remembered is what an image holds of sessions, in numbers.
type Remembered struct {
	Sessions int // of clients
	Keys     int // that commands were proposed under
	Bytes    int // of the results and keys that are remembered
}

// ReadImage reads an image, the state after an entry, and keeps nothing of it: the sessions and keys are
// checked as a server checks them that restores it, and counted; what follows, of the state machine, is
// machine's to read. Errors: ErrBadImage, and those of from and of machine.
func ReadImage(last raft.EntryID, from io.Reader, machine func(io.Reader) error) (Remembered, error) {
	m := NewMachine(&reading{restore: machine})
	if err := m.restore(last, from); err != nil {
		return Remembered{}, err
	}
	return Remembered{Sessions: m.sessions.count(), Keys: m.keys.count(),
		Bytes: m.sessions.results + m.keys.bytes}, nil
}

// reading is a StateMachine that is only ever restored.
type reading struct {
	StateMachine
	restore func(io.Reader) error
}

func (r *reading) Restore(from io.Reader) error { return r.restore(from) }
