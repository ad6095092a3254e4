// Package httpapi is the server side of the HTTP API whose words are in package client: the small API below
// /client/, the key-value API below /v1/, and the pages by which supervisors judge a node's health.
//
// A request is answered by the node that it reaches; none is forwarded yet. So writes, and reads below
// /v1/kv/, are refused by a node that does not lead, with the leader's id.
//
// What a request says and this version does not understand is refused and never ignored: a condition that
// is overlooked is a lost update. Keys are taken from the path as it was sent, without any tidying up.
package httpapi
