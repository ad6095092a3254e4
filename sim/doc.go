// Package sim is a whole cluster in one goroutine, from one seed: servers, network, disks, clocks, clients,
// faults, and the checks that look at all of them after every event.
//
// The simulated program is the shipped program. A server is a replica.Replica on a wal.Log on a disk.Memory
// with a kv.Store above it; every message is encoded and decoded by wire. What the root package runs in
// goroutines, a World performs at a virtual time:
//
//	         ┌──────────── queue of what is due, by time ◀───────────────┐
//	         ▼                                                           │
//	message, tick, client, ──▶ replica.Step ──▶ replica.Work ──▶ Write   │ performed on a simulated disk
//	end of work, fault             │                             Apply   │ performed on the state machine
//	                               ▼                             Send  ──┘ encoded, delayed, lost, repeated
//	                            checks                           Answer ──▶ the client, and the history
//
// # A run is a value
//
// A Spec is {options, seed, script}. The same Spec gives the same trace, event by event, on every machine:
// there is no floating point, no clock, no map order in anything that reaches it, and a run ends with a
// digest to prove it. Chance is keyed: each draw is a hash of (seed, purpose, who, how manyth), so that an
// intervention changes its causal future and nothing else. Faults drawn by a profile are recorded as
// operations of the script as they happen; replaying the script with the profile switched off is the same
// run, and shrinking takes operations away.
//
// # Time
//
// Time is virtual, and counted from the beginning of the run. Servers see it through clocks of their own,
// which may run fast, slow, or jump.
package sim
