// Package wal keeps what a server must remember across restarts: its hard state and its entries (Figure 2,
// "persistent state"), and which data directories of other servers it has met, in a directory that is bound
// to one node of one cluster. What Append has
// acknowledged is there after any power cut, whole and in order; what it has not acknowledged is there
// wholly or not at all; and what has changed on the disk behind its back is refused, never skipped and
// never cut off in silence: a server that forgets a vote or an entry that it has acknowledged can break
// every promise of §5.
//
// # What is on the disk
//
//	identity.1, identity.2     cluster, node, incarnation, bootstrap configuration: two equal copies
//	0000000004.wal             the segments of the log, numbered without gaps; the ones before were released
//	0000000005.wal
//	*.tmp                      cut short by a crash, released, or not yet a segment: never relied upon,
//	                           removed by the next start
//
//	segment   ┌────────┬───────┬───────┬───────┬──────────┬───────────────────┐
//	          │ header │ batch │ batch │ batch │ end mark │ zeros             │  it goes on in the next one
//	          └────────┴───────┴───────┴───────┴──────────┴───────────────────┘
//	          ┌────────┬───────┬───────┬──────────────────────────────────────┐
//	          │ header │ batch │ batch │ zeros                                │  the log ends here
//	          └────────┴───────┴───────┴──────────────────────────────────────┘
//
// A segment has its full size from the beginning, so that a shortened file is recognised. A batch is what
// one Append writes with one sync; it lies in one segment, and one that is larger than a segment gets a
// segment of its own size. Batches are numbered through the whole log. Two checksums, of its header and of
// all of it, are seeded with the place where it stands, so what was written elsewhere or in another life of
// a file does not verify. The first batch of a segment repeats the hard state, the start number, the peers,
// where the log begins, and that it takes a later program to read on (gateRecord), so that older segments
// can go. An end mark is a batch too, and so is a seal.
//
// # Where the log begins
//
// Release and Restart write a base: from which segment on the log is read, and behind which entry it begins.
//
//	            4                           5                             6
//	┌───────┬─────────┬─────┐  ┌───────┬─────────┬──────┬─────┐  ┌──────┬─────────┬───────┐
//	│ 3, 8  │ 11 … 20 │ end │  │ 4, 12 │ 21 … 35 │ 5, 25│ end │  │ 5, 25│ 36 … 40 │ zeros │  segment, entry
//	└───────┴─────────┴─────┘  └───────┴─────────┴──────┴─────┘  └──────┴─────────┴───────┘
//	  gone: 5, 25 says so        needed: it holds 26               repeats what was said last
//
//	base record  ┌─────────┬────────┬───────────────────┬───────────────────┐
//	             │ segment │ number │ join              │ before            │  u64 each; an entry is
//	             │ 5       │ 57     │ term 2, index 20  │ term 2, index 25  │  its term and its index
//	             └─────────┴────────┴───────────────────┴───────────────────┘
//	number  of the first batch in that segment, with which the counting goes on
//	join    the last entry when that segment was begun: what its first batch stands behind
//	before  the log begins behind it; it becomes Recovered.Before
//
// A start reads the last segment that was written to, and takes the last base in it, so it knows of each
// missing segment whether it was released or lost: what stands before the base is neither read nor missed
// (it may hold anything: its removal was undone by a power cut, or its file was being used again); from
// there on each must be there. A base that is overlooked, because the batch that says it is bad, has the
// start ask for older segments than there are, and refuse: nothing is ever passed over. Entries up to the
// base are dropped, so what a log holds depends on what was asked of it, not on how it is cut.
//
// Segments behind the base may have replaced entries that stood in segments before it, down to an index
// below join; between that index and the base nothing is known, and nothing is needed. Whether the entries
// that are there reach back to the base is checked when all is read.
//
// A restart is a base with a record that holds nothing and drops all entries before it. The hard state and
// the peers stay.
//
// # Segments ahead of use
//
// The first segment has 1 MiB, and each has twice the size of the one before, up to Options.SegmentBytes:
// so a first start writes 1 MiB, and a log that stays small takes no more. When an eighth of a segment is
// used, Prepare hands out the next one to be filled with zeros beside the appends. Measured on ext4 on a
// virtual disk, 3,000 appends with their fdatasync, median of five alternating runs: 4 KiB take 131 µs into
// segments so prepared and 260 µs into ones that are not, 32 entries of 128 bytes 135 µs and 256 µs; single
// entries of 128 bytes take 140 µs in both, for they hardly ever need a new block. What a preparation
// costs: at most one file of the size of a segment, and 256 KiB of memory while it is filled.
//
// Up to two released segments of the size of the next one wait under temporary names, and are filled in
// place of a new file. They are filled with zeros all the same: the old batches would not verify in another
// segment, but behind a torn batch anything that is no zero looks like damage.
//
// # What a bad batch means
//
// One write is on its way at a time, and the next begins when the one before is durable. So a power cut can
// spoil the last batch and nothing else. Going forward, the first batch that does not verify is
//
//	torn     when nothing shows that it was ever durable. It was not acknowledged: it is cut off, and
//	         Recovered.Torn says how many bytes that were.
//	damage   when something was written that began only when it was durable: the header of a later batch
//	         behind it, anything but zeros behind the extent that its own good header names, or anything in
//	         a later segment. Then acknowledged bytes have changed, and Open returns ErrCorrupt.
//
// A bad segment header is damage, for a segment gets its name only when its header is durable; so is a gap
// in the numbers, and an end mark without the segment that it leads to. What verifies and makes no sense (a
// gap between entries, a term that goes back) is damage; a kind of record, a flag or a version that this
// program does not know is ErrVersion. One bad or missing copy of the identity is written anew from the
// other; two are damage.
//
// Outside the model, and not recognised: rot of the very last batch, which looks like a torn one when the
// node is started after a crash; and the last segment, or the whole directory, put back as it was before.
//
// Seal bounds the first of these: a batch with a seal behind it is not the last one any more, so that it is
// damage if it rots. A seal holds nothing. If it is torn or rots itself it is cut off, and nothing is lost.
// Where it would have no room before the end mark, the log goes on in a new segment instead: the mark says
// as much, and the first batch there repeats only what stands before it. What remains is rot of the very
// last batch before its seal, together with a crash.
//
// # The crash windows
//
// First start. The first segment is durable under its name before the identity has a name, and both names
// of the identity are durable before the first batch is written. So no identity and an empty first segment,
// or none, is a first start cut short, and is begun anew; the new first segment replaces the old one in one
// rename. No identity and anything else is damage: the names were durable before anything else was there.
// One copy alone may be a first start cut short between the two renames; the other one is written anew.
//
// Append. Cut before the sync returns, any of the batch's sectors may be there. All of them: the batch is
// recovered whole, which is allowed, for its caller got no answer. Some: torn. The sector that it shares
// with the batch before is written with that one's bytes unchanged, so either version of it serves. Behind
// the batch are zeros, as they were before.
//
// A new segment, in this order:
//
//	0  next.wal.tmp filled with zeros, synced         at any time before, or never; cut here: a stray file
//	1  its header written, synced; or NNN.wal.tmp     cut here: a stray file; the log ends in the old one
//	   made with its header, unfilled, synced
//	2  renamed, directory synced                      an empty segment behind the end of the log; the next
//	                                                  attempt replaces it in one rename
//	3  end mark written to the old segment, synced    torn: cut off like any batch, nothing was in it;
//	                                                  whole: the log goes on in the new one, still empty
//	4  first batch written to the new one, synced     torn: cut off, the new one is empty again
//
// A prepared segment gets its number with its header, in step 1: while it was filled the log may have gone on
// in a segment that it made itself, and a file that was numbered before could be renamed over that one.
//
// 2 before 3: else a mark could be durable whose successor is not, which would be taken for damage. 3
// before 4: else the new segment could hold a durable batch behind an unmarked, or torn, end of the old
// one, and be taken for damage too.
//
// Release, in this order:
//
//	1  a base written and synced like any batch       torn: the log begins where it did; whole: the segments
//	                                                  before the base are not read any more
//	2  their files renamed to NNN.wal.tmp or removed  any of it may be undone: they are removed by the next
//	                                                  start; nothing is synced for their sake
//	3  one of those renamed to next.wal.tmp, filled,  as with a new file; what a power cut gives back under
//	   used as above                                  its old name, full of anything, is not read
//
// 1 before 2: else a segment could be gone, and nothing say that it was released. No snapshot is given up,
// and none is relied upon, before its own file is durable: that is up to the caller.
//
// Restart. One batch: all of it is there, and the log is empty behind the entry; or nothing of it, and the
// log is as it was. Its segment is the first one that is needed; those before it go as above.
//
// Open. Nothing is written before everything was verified. Then: strays are removed; a bad copy of the
// identity is replaced; the directory is synced; the last batch is written once more where it stands, and
// what was torn behind it is overwritten with zeros; both synced; and only then the start number is counted
// up with a first new batch. A cut anywhere in between leaves a directory that recovers the same entries
// and the same hard state: rewriting the same bytes changes nothing in whatever order its sectors arrive; a
// torn batch of which some is zeroed is still torn, with the same extent or none; and a lost removal brings
// back a stray.
//
// The zeros must be durable before the new batch: else a cut that keeps its header and loses some zeros
// leaves something behind the extent of a bad batch with a good header. The last batch is written again
// because it may have been read from the operating system's memory only: its writer may have been killed
// before the sync, or the sync may have failed, after which the pages count as clean and no later sync
// writes them. Acknowledged now by this process, it would be gone after the next power cut.
//
// Two failures in a row remain. A failed sync of the zeros, a restart that reads them from memory, and a torn
// write after that may end in a refusal to start; nothing is lost then. And a failed sync of the directory is
// tried again by the next start: file systems with a journal stop altogether when that fails.
//
// A failed write or sync ends the log: the first error is kept, nothing is tried again, and the next Open
// decides what of the last batch is there.
package wal
