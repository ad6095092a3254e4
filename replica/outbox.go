package replica

import "balsa/raft"

// outbox is the work that has not been handed out yet.
type outbox struct {
	ready   []Work
	answers []Answer // memory of those in ready
}

func (r *Replica) send(letter raft.Letter) {
	r.ready = append(r.ready, Send{Envelope: raft.Envelope{
		From:     r.config.Identity,
		To:       letter.To,
		Sequence: letter.Sequence,
		Message:  letter.Message,
	}})
}

// answersAtOnce is how many answers share a piece of memory, at most.
const answersAtOnce = 256

// answer tells a caller what became of what it asked.
func (r *Replica) answer(a Answer) {
	if len(r.answers) == cap(r.answers) {
		r.answers = make([]Answer, 0, min(1+2*cap(r.answers), answersAtOnce))
	}
	r.answers = append(r.answers, a)
	r.ready = append(r.ready, &r.answers[len(r.answers)-1])
}
