// Package client speaks the HTTP API of a balsa cluster: its paths, headers, bodies and error codes as
// constants and types, and a Client that finds the leader, waits out elections and never repeats a write
// that may have happened, unless the cluster carries it out once (Once, Session).
//
// It imports nothing of the server, so a program that only talks to a cluster carries no engine.
package client
