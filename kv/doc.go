// Package kv is the replicated map: a state machine that turns the committed entries of a log into keys and
// values.
//
// It is pure. Two stores that are given the same entries hold the same bytes, answer with the same bytes
// and write the same snapshot. It does no I/O of its own, starts nothing and looks at no clock.
//
// A revision is the index of the log entry that wrote: the same number on every node, for ever, and higher
// for every later write of any key. Reads change nothing, revisions included.
package kv
