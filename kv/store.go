package kv

import (
	"io"
	"iter"
	"sync"

	"github.com/tidwall/btree"

	"balsa/raft"
)

// Revision counts writes: it is the index of the log entry that made one. It is cluster-wide and only
// grows, with gaps where entries changed nothing. 0 is the empty map before the first write.
type Revision uint64

// Item is what the map holds under one key. It is immutable: nobody may write to Value.
type Item struct {
	Value    []byte
	Created  Revision // the write that created the key, after its latest deletion if there was one
	Modified Revision // the write that gave it this value
	Version  uint64   // how many writes since it was created: 1 for a new key
	// Expires is the log time from which on the key is not there any more; 0 is never. It stays readable
	// until an entry of that time, or a later one, is applied: log time goes on with the log alone.
	Expires raft.Time
}

// Store is the replicated map. Apply and Restore are called by one caller at a time, as a state machine's
// methods are; every other method may be called concurrently with them and with each other.
type Store struct {
	mu   sync.RWMutex
	view View // what holds now; its tree is changed in place under mu, so it must be copied before it leaves
	dues dues // the keys of view that go away by themselves
}

// New returns an empty map at revision 0.
func New() *Store { return &Store{view: emptyView(), dues: duesOf(emptyView())} }

func emptyView() View { return View{tree: new(btree.Map[string, Item])} }

// Apply performs the command of one committed entry and returns an encoded Result, for DecodeResult. What
// is due at the entry's time goes first, as Expire has it.
// Entries come once each, in the order of their indexes. No bytes can make it fail or panic: what is not a
// command of this version is answered with a Refusal, and changes nothing.
//
// That answer must be the same on every node, or the nodes drift apart. So a later version may give a
// meaning to an operation that is refused here only in entries behind the one that raised the cluster's
// version: a node that replays older entries has to refuse them still.
func (s *Store) Apply(e raft.Entry) []byte {
	command, refusal := decode(e.Command)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(e)
	result := Result{Operation: command.operation, Refusal: refusal}
	if refusal == 0 {
		s.perform(command, e, &result)
	}
	result.Revision = s.view.revision
	return result.encode()
}

func (s *Store) perform(c command, e raft.Entry, result *Result) {
	switch c.operation {
	case OpPut:
		result.Created = s.put(string(c.key), c.value, 0, Revision(e.Index))
	case OpPutTTL:
		result.Created = s.put(string(c.key), c.value, expiry(e.Time, c.amount), Revision(e.Index))
	case OpIncrement:
		s.increment(c, Revision(e.Index), result)
	case OpDelete:
		if s.remove(string(c.key), Revision(e.Index)) {
			result.Deleted = 1
		}
	}
}

func (s *Store) put(key string, value []byte, expires raft.Time, now Revision) (created bool) {
	old, found := s.view.tree.Get(key)
	item := Item{Created: now, Modified: now, Version: 1, Expires: expires}
	if found {
		item.Created, item.Version = old.Created, old.Version+1
	}
	// The value is copied: a command may share the memory of a whole message or batch, and ten bytes that
	// live for years would keep megabytes.
	item.Value = append([]byte{}, value...)
	s.view.tree.Set(key, item)
	s.dues.move(key, old.Expires, expires)
	s.view.revision = now
	return !found
}

// increment adds to the number under a key, or refuses: a sum that wrapped around would be a wrong count
// that looks like a right one.
func (s *Store) increment(c command, now Revision, result *Result) {
	old, found := s.view.tree.Get(string(c.key))
	n := int64(0)
	if found {
		var whole bool
		if n, whole = parseNumber(old.Value); !whole {
			result.Refusal = NotANumber
			return
		}
	}
	sum := n + c.amount
	if (sum > n) != (c.amount > 0) && c.amount != 0 {
		result.Refusal = Overflow
		return
	}
	result.Created = s.put(string(c.key), formatNumber(sum), old.Expires, now)
	result.Value = sum
}

func (s *Store) remove(key string, now Revision) (removed bool) {
	old, found := s.view.tree.Delete(key)
	if found {
		s.dues.move(key, old.Expires, 0)
		s.view.revision = now
	}
	return found
}

// Snapshot captures the state in O(1) and returns what writes it; later applies do not change what was
// captured. The error is always nil. The result is a View. As long as it is in use, what it captured stays in
// memory, and the first write to each part of the map copies that part: some microseconds.
func (s *Store) Snapshot() (io.WriterTo, error) { return s.View(), nil }

// Restore replaces everything by a snapshot that View.WriteTo wrote, and reads it to its end. It is all or
// nothing: an error, which wraps ErrBadSnapshot or comes from the reader, leaves the store as it was.
// Besides the two maps it needs memory for one item, whatever the bytes claim.
func (s *Store) Restore(r io.Reader) error {
	restored, err := readSnapshot(r)
	if err != nil {
		return err
	}
	dues := duesOf(restored)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view, s.dues = restored, dues
	return nil
}

// View captures the state in O(1).
func (s *Store) View() View {
	s.mu.Lock() // not RLock: copying marks the tree's nodes as shared
	defer s.mu.Unlock()
	return View{tree: s.view.tree.Copy(), revision: s.view.revision}
}

// Get returns what is stored under a key, and whether there is anything.
func (s *Store) Get(key string) (Item, bool) {
	item, _, found := s.Read(key)
	return item, found
}

// Read is Get together with the revision at which its answer holds, taken in the same instant. A revision
// that is asked for before or after Get may belong to another state: "absent at revision 7" would be said
// of a key that 7 created.
func (s *Store) Read(key string) (item Item, at Revision, found bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	item, found = s.view.Get(key)
	return item, s.view.revision, found
}

// Revision returns the revision of the latest write.
func (s *Store) Revision() Revision {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view.revision
}

// Len returns the number of keys.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view.Len()
}

// View is the map as it was at one moment. It never changes and may be read concurrently. As a snapshot it
// writes itself. The zero View is not usable; Store.View makes them.
type View struct {
	tree     *btree.Map[string, Item]
	revision Revision
}

// Get returns what was stored under a key, and whether there was anything.
func (v View) Get(key string) (Item, bool) { return v.tree.Get(key) }

// Revision returns the revision of the latest write in the view.
func (v View) Revision() Revision { return v.revision }

// Len returns the number of keys in the view.
func (v View) Len() int { return v.tree.Len() }

// From walks the keys at or above start with their items, in the order of the keys' bytes. From("") walks
// all.
func (v View) From(start string) iter.Seq2[string, Item] {
	return func(yield func(string, Item) bool) { v.tree.Ascend(start, yield) }
}
