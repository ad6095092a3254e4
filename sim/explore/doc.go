// Package explore looks at every state that a small cluster can get into: all orders in which messages can
// arrive, disks finish and servers crash, within bounds, from a named situation. The simulator draws long
// runs by lot; this walks all the short ones, and so finds the shortest way to a mistake, or says that there
// is none.
//
//	world = { servers, messages under way, what has happened, how much of the bounds is used }
//
//	world ──action──▶ world      a message arrives (once more), a write reaches the disk, a timer runs out,
//	                             a leader speaks, a client proposes, a server crashes and restarts
//
// The servers are the shipped raft.Core and every message goes through wire. A core is a value whose next
// state depends on its state and its input alone, so each pair is computed once and remembered; a world is a
// handful of numbers that name what is remembered. That is what makes millions of worlds affordable.
//
// # What is reduced, and why nothing is missed
//
//   - There is no order of messages: what is under way is a set with repetitions, and whichever is taken
//     arrives next. A message may stay under way for ever, so the loss of any number of messages is part of
//     every exploration. Bounds.Losses adds losing as an action of its own; no server can tell.
//   - For the same reason a message whose arrival changes nothing is not made to arrive.
//   - A crash and the restart are one action. A server that is down does what one does that restarted and
//     hears nothing: messages for it stay under way.
//   - Worlds that differ only in how far servers have counted their requests and writes are one (order.go),
//     and so are those that differ in late answers which nobody takes notice of (stale.go).
//   - The state machine applies at once. The core learns nothing from its being slow, short of the budgets
//     that bound a backlog, which small worlds do not reach.
//   - Time passes only where it decides something: a timer runs out (Timeouts), a leader speaks (Heartbeats),
//     or a follower has not heard its leader for the minimum election timeout when a request for its vote
//     arrives. Both kinds of arrival are tried, in time and late.
//   - In a fresh cluster the servers are alike but for their ids, so the first action is one of server 1.
//
// What is bounded beside the Bounds: one entry in a message, and one such message on its way to a follower
// (Bounds.Window). With more, a leader sends again without end what overtook itself, though no time passes,
// and nothing would ever be exhausted. No disk is slow for so long that a server gives up for it, and nobody
// reads.
//
// Worlds are told apart by a hash of 63 bits. That any two of n are taken for the same has a chance of about
// n²/2^64, below one in ten thousand for forty million.
package explore
