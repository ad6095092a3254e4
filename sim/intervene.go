package sim

import (
	"slices"
	"strings"

	"balsa/disk"
	"balsa/raft"
	"balsa/replica"
)

// script is what interventions a run has, by message and in the order in which they were given.
type script struct {
	ops      []Op
	messages map[messageKey][]Op
	recorded []Op // those that a swarm has had the idea of
}

// messageKey names a message: the nth on a link; or the nth request of a client, with no receiver.
type messageKey struct {
	from, to raft.NodeID
	n        uint64
}

func newScript(ops []Op) script {
	s := script{ops: slices.Clone(ops), messages: map[messageKey][]Op{}}
	for _, op := range ops {
		if op.ofMessage() {
			k := messageKey{op.Node, op.Peer, op.Nth}
			s.messages[k] = append(s.messages[k], op)
		}
	}
	return s
}

// counts are how many of each kind of intervention there were, by name; a run in which nothing happened is
// no evidence.
type counts struct {
	kinds   []Count
	effects []Count // what came of them
}

// Count is how often something happened.
type Count struct {
	Kind  string `json:"kind"`
	Times uint64 `json:"times"`
}

// add counts one, in the order of the names.
func (c *counts) add(kind string) { c.kinds = counted(c.kinds, kind) }

// faultsOf returns what meets a message: by the script, or by the swarm's idea, which is recorded.
func (w *World) faultsOf(from, to raft.NodeID, n uint64) []Op {
	key := messageKey{from, to, n}
	ops, known := w.script.messages[key]
	if known || w.swarm == nil {
		return ops
	}
	ops = w.swarm.message(from, to, n)
	if len(ops) > 0 {
		w.script.messages[key] = ops
		w.script.recorded = append(w.script.recorded, ops...)
	}
	for _, op := range ops {
		w.counts.add(op.name())
	}
	return ops
}

// intervene carries out the operation that is due, or lets the swarm have its next idea.
func (w *World) intervene(d due) {
	if d.peer == swarming {
		w.swarm.act(d)
		return
	}
	w.Do(w.script.ops[d.n])
}

// Do carries out an operation now. An operation that changes nothing, such as to kill what is down, is
// counted as well.
func (w *World) Do(op Op) {
	op.At = w.now
	p := w.note(Record{Kind: Intervened, Node: op.Node, Peer: op.Peer, N: op.Nth, Hash: op.hash(), Op: &op})
	w.counts.add(op.name())
	switch op.Kind {
	case Cut, Heal, Clog, Lag, Hold, Release, Discard:
		w.doNetwork(p, op)
	case Load:
		w.options.Thinking = max(w.spec.Options.Thinking/Time(max(op.Value, 1)), Microsecond)
	case Propose, Read:
		w.doClient(op)
	case Change, Transfer:
		w.administer(p, op)
	case Move:
		w.move(w.servers[op.Node-1], op)
	case Join:
		w.join(w.servers[op.Node-1], p, op)
	case Clone:
		w.clone(w.servers[op.Node-1], p, op)
	case Stray:
		w.stray(w.servers[op.Node-1], p, op)
	case Kill, Restart, Stall, Resume, Slow, Clock, Flags, Timeout:
		w.doProcess(w.servers[op.Node-1], p, op)
	case ApplySlow:
		w.servers[op.Node-1].trouble.applySlow = op.Value
	case SnapshotSlow:
		w.servers[op.Node-1].trouble.keepSlow = op.Value
	case TakeSnapshot:
		w.takeSnapshot(w.servers[op.Node-1], p)
	case ApplyPanic:
		w.servers[op.Node-1].trouble.poisoned = w.servers[op.Node-1].up()
	default:
		w.doDisk(w.servers[op.Node-1], op)
	}
}

// name is the operation with its mode, where modes are different faults.
func (o Op) name() string {
	switch o.Kind {
	case Kill, DiskFail, Rot:
		if o.Nth > 0 && o.Kind == Kill && o.Mode != "send" {
			return string(o.Kind) + "-in-call"
		}
		return strings.TrimSuffix(string(o.Kind)+"-"+o.Mode, "-")
	case Restart:
		if o.Nth > 0 {
			return "crash-in-recovery"
		}
	case Clock:
		return o.clockName()
	case Cut, Duplicate, Clog, Corrupt:
		return strings.TrimSuffix(string(o.Kind)+"-"+o.Mode, "-") // the shape of the partition
	}
	return string(o.Kind)
}

func (o Op) hash() uint64 {
	h := mix(mix(hashBytes([]byte(o.Kind)), uint64(o.For)), uint64(o.Value))
	for _, l := range o.Links {
		h = mix(h, uint64(l.From)<<32|uint64(l.To))
	}
	if o.Under != "" {
		h = mix(h, hashBytes([]byte(o.Under)))
	}
	return mix(h, hashBytes([]byte(o.Mode+"\x00"+o.Key+"\x00"+o.Text)))
}

func (w *World) doNetwork(cause uint64, op Op) {
	switch op.Kind {
	case Heal:
		if len(op.Links) == 0 {
			for i := range w.network.links {
				w.network.links[i].cut, w.network.links[i].until = false, 0
			}
		}
	case Release, Discard:
		w.setFree(cause, op.Links, op.Kind == Release)
	}
	for _, named := range op.Links {
		l := w.network.link(named.From, named.To)
		switch op.Kind {
		case Cut:
			l.cut = true
		case Heal:
			l.cut, l.until = false, 0
		case Clog:
			l.until = w.now + op.For
		case Lag:
			l.lag = op.For
		case Hold:
			l.hold = op.Mode
			if op.Mode == "" {
				l.hold = "all"
			}
		}
	}
}

func (w *World) doProcess(s *server, cause uint64, op Op) {
	switch op.Kind {
	case Kill:
		w.kill(s, cause, op)
	case Restart:
		if !s.up() && w.mayStart(s) {
			s.start(cause, op.Nth)
		}
	case Stall:
		s.trouble.stalled = s.up()
	case Resume:
		w.resume(s)
	case Slow:
		s.trouble.slow = op.Value
	case Clock:
		if op.Mode == "wall" {
			s.wall += op.For
			return
		}
		rate := op.Value
		if rate == 0 {
			rate = s.clock.rate
		}
		w.setClock(s, rate, op.For)
	case Flags:
		s.flags = op.Mode
	case Timeout:
		if s.up() {
			w.attempt(s, cause, replica.ElectionTimeout{})
		}
	}
}

func (w *World) kill(s *server, cause uint64, op Op) {
	if !s.up() {
		return
	}
	if op.Mode == "send" {
		s.trouble.lastSends = op.Nth
		return
	}
	if op.Nth == 0 {
		s.die(cause, op.Mode == "power", "it is killed")
		return
	}
	s.store.fault.cutIn(op.Nth)
	s.store.fault.power = op.Mode == "power"
	s.store.arm()
}

// resume lets a stalled process go on: what has come meanwhile comes at once, in its order.
func (w *World) resume(s *server) {
	s.trouble.stalled = false
	backlog := s.backlog
	s.backlog = nil
	for _, d := range backlog {
		d.at = w.now
		w.push(d)
	}
}

func (w *World) doDisk(s *server, op Op) {
	operations := map[string]disk.Operation{
		"write": disk.OpWrite, "sync": disk.OpSync, "read": disk.OpRead, "create": disk.OpCreate,
		"rename": disk.OpRename, "sync-directory": disk.OpSyncDir, "open": disk.OpOpen, "list": disk.OpList,
		"remove": disk.OpRemove,
	}
	switch op.Kind {
	case DiskStall:
		s.trouble.diskStalled = max(s.trouble.diskStalled, w.now+op.For)
	case DiskFail:
		s.store.fault.fail, s.store.fault.after = operations[op.Mode], max(op.Nth, 1)
		s.store.arm()
	case DiskFull:
		s.store.disk.Limit(max(s.store.disk.Used()+op.Value, 1))
		s.store.full, s.trouble.wasFull = true, true
	case DiskOK:
		s.store.repair()
		s.trouble.diskStalled = 0
		w.queue.hasten(w.now, func(d *due) bool { return d.node == s.id && d.ofDisk() })
	case Image:
		s.store.image, s.store.imageStart = s.store.disk.Clone(), s.store.start
		s.store.imageAlone = s.alone()
	case Wipe:
		if !s.up() && s.joins && s.node == s.id {
			s.anew()
		} else if !s.up() {
			w.replaceDisk(s, disk.NewMemory())
		}
	case Rollback:
		if !s.up() && s.store.image != nil {
			w.replaceDisk(s, s.store.image.Clone())
			s.store.start, s.trouble.rolledBack = s.store.imageStart, true
		}
	case Rot:
		s.trouble.rotten = s.trouble.rotten || !s.up() && w.rot(s, op)
	}
}

// replaceDisk gives a server another disk, which does not remember what the last one promised.
func (w *World) replaceDisk(s *server, d *disk.Memory) {
	s.store.disk, s.store.sealed = d, false
	s.store.repair() // the copy was perhaps made when it was full
	s.trouble.gone, s.trouble.replaced = true, true
	s.ledger.lost(s.id)
}

// hasWord reports whether a list of words has one.
func hasWord(words, word string) bool { return slices.Contains(strings.Fields(words), word) }
