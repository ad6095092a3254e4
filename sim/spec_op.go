package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"balsa/replica"
)

// maxClients is how many clients a run may have, those of its script among them.
const maxClients = 1000

// maxSlower is how many times slower, or busier, something can be made.
const maxSlower = 1_000_000_000

// maxAddress is one byte more than an address may have.
const maxAddress = 100

// demands collects what does not hold.
type demands []error

func (d *demands) that(holds bool, format string, args ...any) {
	if !holds {
		*d = append(*d, fmt.Errorf(format, args...))
	}
}

// check says what of an operation cannot be. What is let through here is carried out without another look: an
// operation with a mistake in it would do something else, or nothing, and the run would seem to be evidence.
func (o *Op) check(nodes int) error {
	var d demands
	d.that(o.At >= 0, "it happens at %v, before the beginning", o.At)
	d.that(o.At <= 1000*Hour, "it happens at %v, after the longest run", o.At)
	for _, l := range o.Links {
		d.that(l.From >= 1 && int(l.From) <= nodes && l.To >= 1 && int(l.To) <= nodes, "there is no link %v",
			l)
	}
	d.that(o.Value >= 0 && o.Value <= 1<<40 && o.For >= 0-Hour && o.For <= 100*Hour,
		"value %d or time %v is out of range", o.Value, o.For)
	d.that(o.For >= 0 || o.Kind == Clock, "its time %v is negative", o.For)
	o.checkWhom(&d, nodes)
	o.checkMeasure(&d)
	if o.known() {
		o.checkMode(&d)
	}
	return errors.Join(d...)
}

// checkWhom demands that the operation names whom it meets.
func (o *Op) checkWhom(d *demands, nodes int) {
	node := o.Node >= 1 && int(o.Node) <= nodes
	switch o.Kind {
	case Cut, Clog, Lag, Hold:
		d.that(len(o.Links) > 0, "it names no link")
	case Load, Heal, Release, Discard:
	case LoseReply:
		d.that(o.Node >= 1, "it does not say whose request")
		d.that(o.Nth > 0, "it does not say which request")
	case Drop, Duplicate, Delay, Corrupt:
		d.that(node && o.Peer >= 1 && int(o.Peer) <= nodes && o.Nth > 0, "it names no message")
	case Propose, Read:
		d.that(node, "there is no n%v", o.Node)
		d.that(o.Peer >= 1 && o.Peer <= maxClients, "there is no client %v, only 1 to %d", o.Peer, maxClients)
	case Change, Transfer:
		d.that(o.Node == 0 || node, "there is no n%v", o.Node)
		d.that(int(o.Peer) <= nodes, "there is no n%v", o.Peer)
		_, err := parseAlteration(o.Text, nodes)
		d.that(err == nil || o.Kind == Transfer, "%v", err)
	case Clone, Stray:
		d.that(node && o.Peer >= 1 && int(o.Peer) <= nodes && o.Node != o.Peer, "it does not say where")
	default:
		d.that(!o.known() || node, "there is no n%v", o.Node)
	}
	d.that(o.known(), "no such operation")
}

// checkMeasure demands a number, or a time, with which the operation does something.
func (o *Op) checkMeasure(d *demands) {
	switch o.Kind {
	case Load:
		d.that(o.Value >= 1 && o.Value <= maxSlower, "it does not say how many times more often clients ask")
	case Slow, ApplySlow, SnapshotSlow:
		d.that(o.Value >= 1 && o.Value <= maxSlower, "it does not say how many times slower, 1 to %d",
			maxSlower)
	case Propose:
		d.that(o.For > 0 || o.Mode != "open" && o.Under == "", "it does not say how long that lasts")
		d.that(len(o.Under) <= replica.MaxKey && (o.Under == "" || o.Nth == 0),
			"its key is too long, or it has a number too")
	case Move:
		d.that(o.Text != "" && len(o.Text) < maxAddress, "it does not say where to")
	case DiskStall, Clog:
		d.that(o.For > 0, "it does not say for how long")
	case Kill:
		d.that(o.Mode != "send" || o.Nth > 0, "it does not say after how many messages")
	case Clock:
		d.that(o.Value == 0 || o.Value >= 1000 && o.Value <= 1000*exact, "its rate is %d millionths", o.Value)
		d.that(o.Mode == "wall" || o.For >= 0, "a monotonic clock does not go back")
		d.that(o.Value != 0 || o.For != 0 || o.Mode == "wall", "it sets neither rate nor time")
	}
}

// modes are the words that an operation knows as its mode. "" among them: it needs none.
func (o *Op) modes() []string {
	switch o.Kind {
	case Kill:
		return []string{"", "power", "send"}
	case DiskFail:
		return strings.Fields("write sync read open list create rename remove sync-directory")
	case Rot:
		return strings.Fields("flip zero truncate lose misdirect stale")
	case Clock:
		return []string{"", "wall"}
	case Cut: // the shape of the partition
		return []string{"", "isolate", "halves", "one-way", "bridge", "ring", "leader-mute", "leader-deaf"}
	case Clog:
		return []string{"", "swizzle"}
	case Duplicate:
		return []string{"", "late"}
	case Corrupt:
		return []string{"", "cut"}
	case Propose:
		return []string{"put", "delete", "increment", "open", "close"}
	case Read:
		return []string{"", "linearizable", "leader", "stale", "at-least", "lease"}
	case Flags:
		return []string{"", "prevote", "checkquorum"}
	case Change, Join:
		return []string{"", "careful"}
	case Move:
		return []string{"", "told"}
	case Hold:
		return append([]string{"", "all"}, messageTypes()...)
	}
	return []string{""}
}

// checkMode demands a mode that the operation knows; some take several, with blanks between them.
func (o *Op) checkMode(d *demands) {
	words := []string{o.Mode}
	if (o.Kind == Flags || o.Kind == Hold) && o.Mode != "" {
		words = strings.Fields(o.Mode)
		d.that(len(words) > 0 && (len(words) == 1 || !slices.Contains(words, "all")),
			"its mode is %q", o.Mode)
	}
	modes := o.modes()
	for _, word := range words {
		if slices.Contains(modes, word) {
			continue
		}
		if len(modes) == 1 {
			d.that(false, "its mode is %q, and it has none", word)
			continue
		}
		list := strings.TrimPrefix(strings.Join(modes, ", "), ", ")
		d.that(false, "its mode is %q: write one of %s", word, list)
	}
}

// known reports whether there is such an operation.
func (o *Op) known() bool {
	switch o.Kind {
	case Load, Cut, Clog, Lag, Hold, Heal, Release, Discard, LoseReply, Drop, Duplicate, Delay, Corrupt,
		Clock, Kill, Restart, Stall, Resume, Slow, Flags, Timeout, ApplySlow, ApplyPanic,
		SnapshotSlow, TakeSnapshot, DiskStall,
		DiskFail, DiskFull, DiskOK, Image, Wipe, Rollback, Rot, Propose, Read,
		Change, Transfer, Join, Move, Clone, Stray:
		return true
	}
	return false
}
