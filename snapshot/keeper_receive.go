package snapshot

import (
	"errors"
	"fmt"

	"balsa/disk"
	"balsa/raft"
)

// Store takes in what a leader sends of a snapshot (§7, InstallSnapshot). Next is the offset from which on
// it is wanted. Without Data the message only asks: so a transfer goes on where it stopped, after a lost
// connection, under another leader, and in another process.
//
// Complete names the snapshot when it is whole, verified and durable, and again whenever it is sent once
// more. What cannot be used moves nothing: bytes from elsewhere than Next, bytes whose checksum is wrong, a
// snapshot older than one that is kept. If it turns out that what has arrived is not what was announced, all
// of it is dropped and Next is 0; Refusal says why. A full disk takes no more, and Next stays. An error says
// that the disk has failed; the node must stop.
func (k *Keeper) Store(m raft.InstallSnapshot) (next uint64, complete *raft.Snapshot, err error) {
	if kept := k.find(m.Last); kept != nil {
		return m.Size, kept, k.endReceiving()
	}
	if err := k.receive(m.Last, m.Size); err != nil {
		return 0, nil, k.judge(err)
	}
	r := k.receiver
	if len(m.Data) > 0 && checksum(m.Data) == m.Checksum && m.Offset <= maxFile {
		if _, err := r.Add(int64(m.Offset), m.Data); err != nil {
			return uint64(r.Next()), nil, k.after(err)
		}
	}
	if !r.verifier.done {
		return uint64(r.Next()), nil, nil
	}
	return k.finish()
}

// find returns a snapshot that is kept already, nil if it is not.
func (k *Keeper) find(last raft.EntryID) *raft.Snapshot {
	for _, s := range k.List() {
		if s.Last == last {
			return &s
		}
	}
	return nil
}

// receive sees to it that the receiver is the one of a snapshot, and knows what has arrived of it.
func (k *Keeper) receive(last raft.EntryID, size uint64) error {
	if r := k.receiver; r != nil && r.last == last && uint64(r.size) == size {
		return nil
	}
	if err := k.endReceiving(); err != nil {
		return err
	}
	if size > maxFile {
		return fmt.Errorf("snapshot: %w: a snapshot of %d bytes", ErrInvalid, size)
	}
	r, err := k.store.Receive(last, int64(size))
	if err != nil {
		return err
	}
	for done := false; !done; {
		if done, err = r.Resume(); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	k.receiver = r
	return nil
}

// finish makes what has arrived a snapshot that is kept.
func (k *Keeper) finish() (next uint64, complete *raft.Snapshot, err error) {
	r := k.receiver
	found, err := describe(r.verifier.info)
	if err != nil {
		next, err := r.drop(err)
		return uint64(next), nil, k.after(err)
	}
	k.receiver = nil
	if _, err = r.Commit(); err != nil {
		return 0, nil, k.judge(err)
	}
	k.refusal = nil
	return found.Size, &found, k.prune()
}

// after judges an error of the receiver, and lets go of one that can take no more.
func (k *Keeper) after(err error) error {
	if k.receiver.err != nil {
		err = errors.Join(err, k.endReceiving())
	}
	return k.judge(err)
}

// judge keeps an error that says that what was sent cannot be used, or finds no room, and returns any other.
func (k *Keeper) judge(err error) error {
	if errors.Is(err, ErrFailed) {
		return err
	}
	for _, why := range []error{ErrStale, ErrInvalid, ErrMismatch, ErrForeign, ErrCodec, ErrVersion,
		disk.ErrNoSpace} {
		if errors.Is(err, why) {
			k.refusal = err
			return nil
		}
	}
	return err
}

// Refusal says why Store has not taken what was sent last, nil if it has: for a person to be told, since a
// leader will send it again and again. Not to be called concurrently with Store.
func (k *Keeper) Refusal() error { return k.refusal }

// endReceiving lets the receiver go, and keeps what has arrived.
func (k *Keeper) endReceiving() error {
	if k.receiver == nil {
		return nil
	}
	r := k.receiver
	k.receiver = nil
	return r.Close()
}
