// Package snapshot keeps snapshots (§7) in files: the state of the machine after an entry, so that the log
// up to that entry can go. The newest two are kept. What Writer.Commit or Receiver.Commit has acknowledged
// is there after any power cut, whole; what they have not acknowledged is there whole or does not count;
// and what has changed on the disk behind the package's back is noticed, named, and never deleted: a node
// that takes its damaged snapshot for rubbish throws its data away.
//
// # What is on the disk
//
//	INDEX-tTERM.snapshot            a snapshot: of the last entry that it includes, 20 digits each
//	INDEX-tTERM-SIZE.snapshot.part  one that arrives from another server: kept, so that it can be resumed
//	create.snapshot.tmp             one that this server writes; what a crash leaves of it is removed
//
// Other names belong to others and are left alone. A snapshot holds what every server of the cluster would
// write at that entry: never the node's own id or incarnation, so that it can be sent to any of them. The
// configuration counts as the snapshot at index 0; no file is written for that one.
//
// # The file
//
//	┌────────┬───────┬───────┬───────┬───────┬─────────┐
//	│ header │ chunk │ chunk │ chunk │ chunk │ trailer │  no padding; all chunks but the last are full
//	└────────┴───────┴───────┴───────┴───────┴─────────┘
//
//	header, little-endian as everything here
//	 0        8         10     12       16        32     40      48     56
//	┌────────┬─────────┬──────┬────────┬─────────┬──────┬───────┬──────┬───────────────┐
//	│ magic  │ version │ zero │ length │ cluster │ term │ index │ time │ configuration │
//	│ 8 B    │ u16 = 1 │ ×2   │ u32    │ 16 B    │ u64  │ u64   │ i64  │ index u64     │
//	└────────┴─────────┴──────┴────────┴─────────┴──────┴───────┴──────┴───────────────┘
//	 64      68              72      76
//	┌───────┬───────────────┬───────┬───────┬───────────────┬────────┐
//	│ chunk │ configuration │ codec │ codec │ configuration │ crc32c │
//	│ u32   │ length u32    │ u32   │ name  │               │ u32    │
//	└───────┴───────────────┴───────┴───────┴───────────────┴────────┘
//	length  of the whole header; crc32c  of all before it: the last 4 bytes of the header in every version
//	time    log time of the last entry; chunk  bytes of data in a full chunk; codec  length of its name
//
//	chunk                             trailer
//	┌────────┬────────┬────────┐      ┌─────────────────┬────────┬───────┐
//	│ length │ crc32c │ data   │      │ 1<<31 | length  │ crc32c │ table │
//	│ u32    │ u32    │ length │      │ u32             │ u32    │       │
//	└────────┴────────┴────────┘      └─────────────────┴────────┴───────┘
//	crc32c  of the header's crc32c (u32), the offset of the chunk or trailer in the file (u64), the length
//	        word, and the data
//
//	table
//	┌─────────┬───────────┬───────┬──────────────────────────────────────────────┐
//	│ file    │ crc64 of  │ count │ count × size u64, stored u64, length u8, name │
//	│ size u64│ the rest  │ u16   │                                              │
//	└─────────┴───────────┴───────┴──────────────────────────────────────────────┘
//	crc64   ECMA, of every byte before the trailer
//	size    bytes of a section; stored  the bytes that it has in the chunks, after the codec
//
// The data of all chunks, one after the other, is a stream; the sections stand in it one after the other.
// Each has a name that its writer gave it and content that this package does not look into; later versions
// of a program may add sections, and a reader that meets a name it does not know must refuse, never skip.
// The sizes stand at the end, for they are known only when everything has been written.
//
// The sum of a chunk is seeded with its place and with the header, so that one that stands elsewhere, or
// belongs to another snapshot, does not verify. Two servers may have written snapshots of one entry with
// the same header and other chunks (the codec may choose freely): a mixture of both has good chunks, and
// only the sum of the whole tells. That one is a CRC-64, not a CRC-32C again, for a CRC over data that
// carries its own CRC of the same polynomial hardly depends on the data.
//
// # Keeper
//
// Store speaks of files, Keeper of raft's snapshots: it is what a replica works with. What it writes has one
// section, "state", and the configuration as package wire writes it; it takes in nothing else, for a part
// that it does not know it could not restore.
//
//	Save    writes one, then prunes                     a full disk, or a newer one: Passing
//	Chunk   reads the file of one that is sent          Readers stay open, for the newest two
//	Store   takes in one that arrives, then prunes      a full disk, or nonsense: Next does not move
//	Restore reads one from end to end
//
// # The crash windows
//
// Create. Written under its temporary name, synced, renamed, the directory synced; only then is it one of
// those kept, and only then may the driver call Prune, or shorten its log. Cut before the rename: a stray
// file. Cut before the sync of the directory: it is there or it is not; whole, if it is.
//
// Prune. Removes the oldest when there are three or more, so that the newest two always stay, and both were
// verified from end to end by this process or written by it. A cut brings the old one back: it is pruned
// again.
//
// Receive. The file has its .part name until every chunk and the whole were verified and synced; then as
// above. A restart reads what is there, chunk by chunk, and goes on behind the last good one. It writes
// each chunk once more where it stands: the earlier process may have been killed before the sync, or the
// sync may have failed, after which the pages count as clean and no later sync writes them.
//
// Open. Nothing is removed before the newest was read and verified, and of the older one its two ends; that
// one is read wholly when the newest is not good, or when there is a third. Then strays are removed and the
// directory is synced, so that a name that a killed process has given is durable before anything rests on
// it.
//
// A failed sync, of a file or of the directory, is final: the store keeps the error, ErrFailed from then on,
// and no snapshot comes or goes any more. A failed write ends its Writer or Receiver, so that a full disk
// costs no more than that snapshot.
//
// # A full disk
//
// The disk is shared with the log, which ends the node when it finds no room. Options.Reserve is left to
// it: a snapshot that cannot fit beside it, by the size that was announced or by that of the one before, is
// not begun; one that meets the reserve is given up, and what it had taken goes at once. Without a disk
// that knows what is free, only its own refusal tells.
//
// # Damage
//
// A file that does not verify is reported in Found.Broken, stays where it is, and counts for nothing; the
// older snapshot serves in place of it. Rot in the middle of the older one is found when it is needed, or by
// Inspect. Whether the log reaches back that far is the caller's to check. If
// files are there and none is good, Open returns ErrCorrupt, unless it was told that the log is whole.
// A file of a later version, of another cluster, or of a codec that was not given is refused, for it may be
// good. A broken file goes when a good snapshot of the same entry takes its name, or when a person has
// looked at it.
package snapshot
