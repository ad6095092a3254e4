// Package raft decides: it is the Raft algorithm as a pure state machine, and nothing else.
//
// A Core is one server. It has one door in and one value out:
//
//	core.Step(now, input)   // one thing that happened: a tick, a message, a proposal, a durable write
//	out := core.Output()    // what must happen next: what to write, to send, to apply, to answer
//
// It performs nothing, waits for nothing and fails at nothing. There are no goroutines, locks, clocks,
// files or sockets in this package, and no map whose order could reach an output: the list of inputs is the
// execution, so two cores that were fed the same inputs are the same core, chance included (the dice are
// part of the state).
//
// What a Core promises to others waits for its own disk: a message that carries a vote, a new term or an
// acknowledgement of entries leaves only after the driver has said, by Persisted, that the write it rests
// on is durable. A driver that writes in the order of Output.Write and sends what it is handed cannot break
// safety by ordering.
//
// The files follow the paper ("In Search of an Understandable Consensus Algorithm", extended version, cited
// as §5.2) and Ongaro's thesis ("Consensus: Bridging Theory and Practice", cited as thesis §9.6).
//
// A Core is not safe for concurrent use.
package raft
