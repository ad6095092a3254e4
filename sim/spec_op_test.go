package sim

import "testing"

// An operation that would do something else than it says, or nothing, is refused.
func TestOperationsThatCannotBe(t *testing.T) {
	l := []Link{{From: 1, To: 2}}
	const none, slower = "there is no client 0, only 1 to 1000", "it does not say how many times slower, " +
		"1 to 1000000000"
	for _, c := range []struct {
		op   Op
		want string // "": it can be
	}{
		{Op{Kind: Propose, Node: 1, Mode: "put"}, none},
		{Op{Kind: Read, Node: 1}, none},
		{Op{Kind: Propose, Node: 1, Peer: 2000000000, Mode: "put"},
			"there is no client 2000000000, only 1 to 1000"},
		{Op{Kind: Propose, Node: 1, Peer: 1000, Mode: "put"}, ""},
		{Op{Kind: Propose, Node: 1, Peer: 1, Mode: "open"}, "it does not say how long that lasts"},
		{Op{Kind: Propose, Node: 1, Peer: 1, Mode: "put", Under: "k"},
			"it does not say how long that lasts"},
		{Op{Kind: Propose, Node: 1, Peer: 1, Mode: "put", Under: "k", Nth: 1, For: 1},
			"its key is too long, or it has a number too"},
		{Op{Kind: Propose, Node: 1, Peer: 1, Mode: "swap"},
			`its mode is "swap": write one of put, delete, increment, open, close`},
		{Op{Kind: Propose, Node: 1, Peer: 1},
			`its mode is "": write one of put, delete, increment, open, close`},
		{Op{Kind: Read, Node: 1, Peer: 1, Mode: "at-least"}, ""},
		{Op{Kind: Read, Node: 1, Peer: 1, Mode: "dirty"},
			`its mode is "dirty": write one of linearizable, leader, stale, at-least, lease`},
		{Op{Kind: Kill, Node: 1, Mode: "softly"}, `its mode is "softly": write one of power, send`},
		{Op{Kind: Kill, Node: 1, Mode: "send"}, "it does not say after how many messages"},
		{Op{Kind: Kill, Node: 1, Mode: "send", Nth: 1}, ""},
		{Op{Kind: DiskFail, Node: 1, Mode: "fsync"}, `its mode is "fsync": write one of write, sync, read, ` +
			"open, list, create, rename, remove, sync-directory"},
		{Op{Kind: DiskFail, Node: 1},
			`its mode is "": write one of write, sync, read, open, list, create, rename, remove, ` +
				"sync-directory"},
		{Op{Kind: Rot, Node: 1, Mode: "rust"},
			`its mode is "rust": write one of flip, zero, truncate, lose, misdirect, stale`},
		{Op{Kind: Flags, Node: 1, Mode: "no-prevote"},
			`its mode is "no-prevote": write one of prevote, checkquorum`},
		{Op{Kind: Flags, Node: 1, Mode: "prevote checkquorum"}, ""},
		{Op{Kind: Flags, Node: 1}, ""},
		{Op{Kind: Flags, Node: 1, Mode: " "}, `its mode is " "`},
		{Op{Kind: Stall, Node: 1, Mode: "long"}, `its mode is "long", and it has none`},
		{Op{Kind: Cut, Links: l, Mode: "star"}, `its mode is "star": write one of isolate, halves, ` +
			"one-way, bridge, ring, leader-mute, leader-deaf"},
		{Op{Kind: Clog, Links: l, For: 1, Mode: "star"}, `its mode is "star": write one of swizzle`},
		{Op{Kind: Hold, Links: l, Mode: "vote append"}, ""},
		{Op{Kind: Hold, Links: l, Mode: "all append"}, `its mode is "all append"`},
		{Op{Kind: Duplicate, Node: 1, Peer: 2, Nth: 1, Mode: "soon"},
			`its mode is "soon": write one of late`},
		{Op{Kind: Corrupt, Node: 1, Peer: 2, Nth: 1, Mode: "bit"}, `its mode is "bit": write one of cut`},
		{Op{Kind: Clock, Node: 1, Value: exact, Mode: "sun"}, `its mode is "sun": write one of wall`},
		{Op{Kind: Clock, Node: 1}, "it sets neither rate nor time"},
		{Op{Kind: Slow, Node: 1, Value: -5}, "value -5 or time 0s is out of range\n" + slower},
		{Op{Kind: Slow, Node: 1}, slower},
		{Op{Kind: ApplySlow, Node: 1, Value: 2_000_000_000}, slower},
		{Op{Kind: Load}, "it does not say how many times more often clients ask"},
		{Op{Kind: DiskStall, Node: 1}, "it does not say for how long"},
		{Op{Kind: Clog, Links: l}, "it does not say for how long"},
		{Op{Kind: Lag, Links: l, For: -1}, "its time -1ns is negative"},
		{Op{Kind: LoseReply, Nth: 1}, "it does not say whose request"},
		{Op{Kind: Kill, Node: 1, At: 1001 * Hour}, "it happens at 1001h, after the longest run"},
	} {
		got := ""
		if err := c.op.check(3); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v: %q\nwant %q", c.op, got, c.want)
		}
	}
}

// However many times slower something gets, it ends after it began.
func TestSlowerIsNotSooner(t *testing.T) {
	if got := Second.times(3); got != 3*Second {
		t.Error(got)
	}
	if got := Hour.times(maxSlower); got != 1<<60 || got.times(maxSlower) != got {
		t.Error(got)
	}
}
