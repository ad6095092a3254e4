package sim

import (
	"balsa/raft"
	"balsa/replica"
)

// committed takes an entry with an ordinary command, or with none.
func (h *history) committed(m Moment, index raft.Index, command []byte) {
	h.enters(m, entered{index: index, asked: plainly(command)})
}

// plainly stands for a request for an ordinary command.
func plainly(command []byte) uint64 { return askedFor(replica.Once{}, command) }
