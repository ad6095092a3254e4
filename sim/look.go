package sim

// What those who drive a world from outside can see of it, besides its events.

// Now is the virtual time.
func (w *World) Now() Time { return w.now }

// Violation is what was violated; nil if nothing was so far.
func (w *World) Violation() *Violation { return w.violation }

// Ended returns the operation of a client (the first is 1) that was the last to end, with what the client was
// told; false if none did.
func (w *World) Ended(client int) (Operation, bool) {
	if client < 1 || client > len(w.clients) || w.clients[client-1].last.ID == 0 {
		return Operation{}, false
	}
	return w.clients[client-1].last, true
}
