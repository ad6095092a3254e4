// Package replica carries out: it is one server of a cluster without goroutines, clocks, sockets or files.
//
// Around the core, which decides, a Replica keeps the order of effects: what to write, to send, to apply,
// and whom to answer. It performs none of it. Step takes an event, Work returns what must be done as
// values:
//
//	message, proposal, time ──▶ Step ──▶ raft.Core
//	                                       │
//	   Work ◀── Send, Answer, Report, Stop, and what is to be performed:
//	     │
//	     │      on the log        on the machine            on the snapshots
//	     │      Write             Apply Capture Restore     Save     ReadChunk     StoreChunk
//	     └─▶ Perform (by the caller, beside the loop or at a virtual time) ──▶ Step(Wrote | Ran | …)
//
// At most one of each kind is in flight; Apply, Capture and Restore are one kind. What the core wants
// written meanwhile is gathered into the next Write: that is the group commit. The root package performs
// work in goroutines; the simulator performs the same functions at virtual times. So the simulated program
// is the shipped program.
//
// A Replica is not safe for concurrent use; Perform may run concurrently with Step.
package replica
