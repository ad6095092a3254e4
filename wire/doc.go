// Package wire turns entries, configurations and messages into bytes and back: a binary form for disks and
// streams, and a JSON form for people. Every layout is drawn at the function that writes it, and every format
// has a version.
//
// Decoders trust nothing: a length is checked against a limit and against what is there before anything is
// allocated, and what they refuse they refuse whole, with an error that wraps ErrMalformed. All functions are
// pure and safe for concurrent use.
package wire
