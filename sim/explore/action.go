package explore

import (
	"fmt"

	"balsa/raft"
)

// kind is what an action does.
type kind uint8

const (
	deliver   kind = iota // a message arrives
	late                  // a request for a vote arrives at a follower that has ceased to hear its leader
	persist               // the oldest write of a server reaches its disk, and the server is told
	duplicate             // a message arrives, and is under way once more; from here on kinds are bounded
	lose                  // a message will never arrive
	timeout               // an election timer runs out, or a leader has not heard a quorum for too long
	heartbeat             // a leader speaks
	propose               // a client proposes to a leader
	crash                 // a server crashes, keeps so many of its unfinished writes, and restarts
	kinds
)

// String names the kind as the report does.
func (k kind) String() string {
	return [...]string{"deliver", "deliver late", "persist", "duplicate", "lose", "time out", "heartbeat",
		"propose", "crash"}[k]
}

// action is one step of a world, in 32 bits: the kind, and the message or the server that it concerns.
//
//	┌──────┬──────────────────────────────────────────────┐
//	│ kind │ the number of a message                      │  deliver, late, duplicate, lose
//	├──────┼──────────────┬───────────────────────────────┤
//	│ kind │ detail       │ the place of a server         │  detail: writes kept in a crash,
//	└──────┴──────────────┴───────────────────────────────┘          commands proposed before
//	  4      12             16 bits
type action uint32

const maxLetters = 1 << 28

func onLetter(k kind, letter uint32) action { return action(uint32(k)<<28 | letter) }

func onServer(k kind, place, detail int) action {
	return action(uint32(k)<<28 | uint32(detail)<<16 | uint32(place))
}

func (a action) kind() kind     { return kind(a >> 28) }
func (a action) letter() uint32 { return uint32(a) & (maxLetters - 1) }
func (a action) place() int     { return int(a & 0xffff) }
func (a action) detail() int    { return int(a >> 16 & 0xfff) }

// tell says in words what an action is, for the story of a violation.
func (e *explorer) tell(a action, s *server) string {
	id := raft.NodeID(a.place() + 1)
	switch a.kind() {
	case deliver:
		return fmt.Sprintf("%v arrives", e.post.letters[a.letter()])
	case late:
		return fmt.Sprintf("%v arrives when %v has not heard its leader for long",
			e.post.letters[a.letter()], e.post.letters[a.letter()].To)
	case duplicate:
		return fmt.Sprintf("%v arrives, and is under way once more", e.post.letters[a.letter()])
	case lose:
		return fmt.Sprintf("%v is lost", e.post.letters[a.letter()])
	case persist:
		return fmt.Sprintf("the disk of %v has %v", id, s.writes[0])
	case timeout:
		if s.role == raft.Leader {
			return fmt.Sprintf("%v leads, and no quorum answers", id)
		}
		return fmt.Sprintf("the election timer of %v runs out", id)
	case heartbeat:
		return fmt.Sprintf("%v speaks to its followers", id)
	case propose:
		return fmt.Sprintf("a client proposes %q to %v", command(a.detail()), id)
	case crash:
		return fmt.Sprintf("%v crashes and restarts; of %d unfinished writes its disk has %d", id,
			len(s.writes), a.detail())
	}
	return "nothing happens"
}

// command is the nth command that clients propose, counted from 0.
func command(n int) []byte { return []byte{'x' + byte(n)} }
