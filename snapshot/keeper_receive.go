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
// of it is dropped and Next is 0; Refusal says why. The same when it does not fit on the disk beside
// Options.Reserve, at the announcement or in the middle: the log needs the room more. An error says that the
// disk has failed; the node must stop.
//
// What an earlier process has left is verified piece by piece, a few chunks at each call, which takes no Data
// meanwhile: read at once, gigabytes would hold up whoever waits for it. As long as Resuming says that there
// is more, the same message may be given again, instead of telling the sender how far it has come.
func (k *Keeper) Store(m raft.InstallSnapshot) (next uint64, complete *raft.Snapshot, err error) {
	if kept := k.find(m.Last); kept != nil {
		return m.Size, kept, k.endReceiving()
	}
	if k.resting > 0 {
		k.resting--
		return 0, nil, nil
	}
	if err := k.receive(m.Last, m.Size); err != nil {
		return 0, nil, k.judge(err)
	}
	r := k.receiver
	if done, err := k.resume(); err != nil || !done {
		return uint64(r.Next()), nil, k.after(err)
	}
	if len(m.Data) > 0 && checksum(m.Data) == m.Checksum && m.Offset <= maxFile {
		had := r.Next()
		if _, err := r.Add(int64(m.Offset), m.Data); err != nil {
			k.rest(had, err)
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

// receive sees to it that the receiver is the one of a snapshot.
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
	k.receiver = r
	return nil
}

// resumeChunks is how many chunks of what an earlier process has left are verified for one message. The
// sender sends that many times less than it would without them.
const resumeChunks = 16

// resume verifies the next piece of what has arrived earlier, and reports whether that was all.
func (k *Keeper) resume() (done bool, err error) {
	r := k.receiver
	for begin := r.Next(); !done && err == nil; {
		if r.Next()-begin >= resumeChunks*int64(k.store.options.ChunkBytes) {
			return false, nil
		}
		done, err = r.Resume()
	}
	return done, err
}

// Resuming reports whether Store has still to verify what an earlier process has left. Not to be called
// concurrently with Store.
func (k *Keeper) Resuming() bool { return k.receiver != nil && !k.receiver.resumed }

// rest has what is sent refused for a while after a disk was full that cannot say what is free.
func (k *Keeper) rest(had int64, err error) {
	if _, known := disk.Free(k.store.dir); !known && had > 0 && errors.Is(err, disk.ErrNoSpace) {
		k.resting = restMessages
	}
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

// after judges an error of the receiver, if there is one, and lets go of a receiver that can take no more.
func (k *Keeper) after(err error) error {
	if err == nil {
		return nil
	}
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
