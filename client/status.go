package client

// Status is what a node knows of itself and of its cluster (PathStatus). Leader is 0 when it knows of none.
type Status struct {
	ID          uint64 `json:"id"`
	Cluster     string `json:"cluster"`     // in hexadecimal
	Incarnation string `json:"incarnation"` // of the data directory, in hexadecimal
	Start       uint64 `json:"start"`       // how often the data directory has been started
	Address     string `json:"address"`     // where peers reach it

	Role   string `json:"role"` // follower, pre-candidate, candidate or leader
	Term   uint64 `json:"term"`
	Leader uint64 `json:"leader"`

	Commit   uint64 `json:"commit"`   // everything up to it is committed, as far as the node knows
	Applied  uint64 `json:"applied"`  // everything up to it is in the map
	Durable  uint64 `json:"durable"`  // everything up to it is on the node's disk
	Last     Entry  `json:"last"`     // the end of the log
	Entries  uint64 `json:"entries"`  // entries in memory
	Keys     uint64 `json:"keys"`     // in the map
	Revision uint64 `json:"revision"` // of the map's latest write

	Peers   []Peer `json:"peers"`             // the other members, by id
	Refused uint64 `json:"refused"`           // messages that no correct node would have sent
	Stopped string `json:"stopped,omitempty"` // why the node stopped by itself
}

// Entry names an entry of the log.
type Entry struct {
	Term  uint64 `json:"term"`
	Index uint64 `json:"index"`
}

// Peer is another member, as the node sees it. Match and Next are 0 at nodes that do not lead.
type Peer struct {
	ID      uint64 `json:"id"`
	Address string `json:"address"`
	Match   uint64 `json:"match"` // the peer durably holds the log up to here
	Next    uint64 `json:"next"`  // what it will be sent next
}
