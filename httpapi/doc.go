// Package httpapi is the server side of the HTTP API whose words are in package client: the small API below
// /client/, the key-value API below /v1/, and the pages by which supervisors judge a node's health.
//
// Keys below /v1/kv/ can be read and written at every node. A node that does not lead forwards to the
// leader what needs it, once, and answers from its own map; the headers say who served the request, at
// which revision and term, and what the answer promises. With ?redirect the node sends the client to the
// leader instead, and with ?local it refuses. The small API refuses and names the leader, unless it is
// asked to forward.
//
// A write that bears an Idempotency-Key is carried out once, however often and at whichever nodes it is sent:
// under the key itself, or, if that is "session-<id>-<number>", as a number of a session that was opened
// below /v1/sessions.
//
// What a request says and this version does not understand is refused and never ignored: a condition that
// is overlooked is a lost update. Keys are taken from the path as it was sent, without any tidying up.
package httpapi
