package sim

import (
	"fmt"
	"runtime/debug"
)

// Perform runs a spec from its beginning to its end. A panic anywhere in the world is what the run came to:
// whoever runs a thousand seeds must not lose them to one, and wants to replay and shrink that one too.
func Perform(spec Spec, parts Parts) (Result, error) {
	w, err := New(spec, parts)
	if err != nil {
		return Result{}, err
	}
	w.guarded(func() { w.Run() })
	return w.Result(), nil
}

// guarded does something in the world, and enters a panic as its violation, with the place in the sources.
func (w *World) guarded(do func()) {
	defer func() {
		if p := recover(); p != nil {
			w.fail(Assertion, "the world panics: %s\n%s", fmt.Sprint(p), debug.Stack())
		}
	}()
	do()
}
