package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"balsa/raft"
	"balsa/replica"
)

// How a story has its clients ask so that they can safely ask again (thesis §6.3):
//
//	session @ann open ttl=10s                    # the client has one session at a time
//	propose @ann to n1 number 1 put x 1          # in it; asked again with the same number it is done once
//	propose @ann to n2 under order-7 put x 1     # under a key, remembered for an hour or ttl=10s
//	session @ann close

type (
	// arrange is `session @ann open to n1 ttl=10s`, or `session @ann close`.
	arrange struct {
		client string
		to     raft.NodeID // None: whom the client would ask
		open   bool
		ttl    Time
	}
	// once says under what a command is proposed: nothing, a number of the client's session, or a key.
	once struct {
		number uint64
		key    string
		ttl    Time // of the key
	}
)

// usualLife is how long sessions and keys last that a story says nothing else of.
const usualLife = Hour

func (a arrange) String() string {
	text := "session" + clientName(a.client) + " close"
	if a.open {
		text = "session" + clientName(a.client) + " open"
	}
	if a.to != raft.None {
		text += " to " + nodeName(a.to)
	}
	return text + lifeOf(a.ttl)
}

func (o once) String() string {
	switch {
	case o.number > 0:
		return fmt.Sprintf(" number %d", o.number)
	case o.key != "":
		return " under " + written(o.key) + lifeOf(o.ttl)
	}
	return ""
}

// lifeOf is a time that was given.
func lifeOf(ttl Time) string {
	if ttl == 0 {
		return ""
	}
	return fmt.Sprintf(" ttl=%v", ttl)
}

func (p *parser) arrange(token) (act, error) {
	client, err := p.client()
	if err != nil {
		return nil, err
	}
	a := arrange{client: client}
	verb, err := p.oneOf("what becomes of the session", "open", "close")
	if a.open = verb == "open"; err == nil && p.word("to") {
		a.to, err = p.node()
	}
	if err == nil && a.open {
		a.ttl, err = p.ttl()
	}
	return a, err
}

// once takes `number 3` or `under order-7 ttl=10s`, if one of them is there.
func (p *parser) once() (o once, err error) {
	t := p.peek()
	switch {
	case p.word("number"):
		if o.number, err = p.number("a number"); err == nil && o.number == 0 {
			err = t.wrong("the commands of a session are numbered from 1")
		}
	case p.word("under"):
		at := p.peek()
		if o.key, err = p.text("a key"); err == nil && (o.key == "" || len(o.key) > replica.MaxKey) {
			err = at.wrong("a key has 1 to %d bytes", replica.MaxKey)
		}
		if err == nil {
			o.ttl, err = p.ttl()
		}
	}
	return o, err
}

// ttl takes `ttl=10s`, or nothing.
func (p *parser) ttl() (Time, error) {
	if !p.word("ttl") {
		return 0, nil
	}
	if err := p.sign("="); err != nil {
		return 0, err
	}
	at := p.peek()
	ttl, err := p.time("how long it lasts")
	if err == nil && ttl == 0 {
		err = at.wrong("nothing lasts for no time")
	}
	return ttl, err
}

// arrange has a client of the story open or close its session.
func (p *player) arrange(a arrange) error {
	op := Op{Kind: Propose, Node: p.member(a.to), Mode: "close"}
	if a.open {
		op.Mode, op.For = "open", cmp.Or(a.ttl, usualLife)
	} else if err := p.needsSession(a.client); err != nil {
		return err
	}
	return p.ask(a.client, op)
}

// needsSession refuses what only a client with a session can do.
func (p *player) needsSession(name string) error {
	at := slices.Index(p.callers, name)
	if at < 0 || p.world.client(p.caller(at)).session == 0 {
		return &Unmet{Sentence: fmt.Sprintf("@%s has no session", name)}
	}
	return nil
}

// wasTold reports whether an operation ended as a word of the language says.
func (o *Operation) wasTold(word string) bool {
	switch word {
	case "replayed":
		return o.Outcome == OK && o.Replayed
	case "gone":
		return o.Gone
	case "reused":
		return o.Reused
	case "too-many":
		return o.TooMany
	}
	return o.Outcome.String() == word
}

// answerWords are what a client of a story can be told.
func answerWords() []string {
	return strings.Fields("ok no unknown open replayed gone reused too-many")
}

// underOnce puts what a script's client asks for into its session, or under a key. It reports false when the
// client has no session.
func (c *client) underOnce(o *Operation, op Op) bool {
	switch {
	case op.Mode == "open":
		o.Kind, o.Value = Opening, nil
		o.Once = replica.Once{What: replica.OpenSession, TTL: raft.Time(op.For)}
	case op.Mode == "close":
		o.Kind, o.Value = Closing, nil
		o.Once = replica.Once{What: replica.CloseSession, Session: c.session}
		return c.session != 0
	case op.Nth > 0:
		o.Once = replica.Once{What: replica.InSession, Session: c.session, Number: op.Nth}
		return c.session != 0
	case op.Under != "":
		o.Once = replica.Once{What: replica.UnderKey, Key: op.Under, TTL: raft.Time(op.For)}
	}
	return true
}

// besides is what a client was told besides the outcome.
func (r *Reply) besides() string {
	switch {
	case r.Replayed:
		return ", replayed"
	case r.Gone:
		return ", its session is gone"
	case r.Reused:
		return ", its number or key stands for another command"
	case r.TooMany:
		return ", there is no room for its key"
	}
	return ""
}
