package balsa

// Messages is the form in which nodes speak with each other.
type Messages uint8

const (
	// Binary messages are frames over TCP (transport/tcp).
	Binary Messages = iota
	// JSON goes over HTTP (transport/httpjson): a person can read it on the wire, and it takes many times as
	// long.
	JSON
	// ByHand is JSON, and admits messages that a person writes, which name no cluster. Anybody who reaches
	// the address can then act as a member: leave it off wherever that matters.
	ByHand
)
