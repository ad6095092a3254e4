package main

import (
	"fmt"
	"strconv"
)

// wholeNumber is that of a flag, which knows whether it was given: 0 is a mistake, and not the same as
// nothing.
type wholeNumber struct {
	n, most int
	given   bool
}

// String is empty for nothing: help then names no default.
func (n *wholeNumber) String() string {
	if n.n == 0 {
		return ""
	}
	return strconv.Itoa(n.n)
}

// Type is the word for the value in the help.
func (n *wholeNumber) Type() string { return "int" }

// Set takes what was written.
func (n *wholeNumber) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("choose 1 to %d", n.most)
	}
	n.n, n.given = v, true
	return nil
}

// check refuses what is out of range.
func (n *wholeNumber) check(flag string) error {
	if n.given && (n.n < 1 || n.n > n.most) {
		return fail(exitUsage, "%s is %d: choose 1 to %d", flag, n.n, n.most)
	}
	return nil
}
