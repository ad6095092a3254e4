package balsa

import (
	"slices"
)

// A node that joins asks the cluster to add it, until it is told who the members are. When it was removed
// before it heard anything, its log knows nothing of that, and at its next start it would add itself again,
// against the will of whoever removed it. So it writes down that it asks, before it does.

// AskedToJoin is the name of the file in the data directory that says so.
const AskedToJoin = "asked-to-join"

// AskedToJoin reports whether NoteAskedToJoin(true) was called on this data directory, at this start or an
// earlier one, and not taken back: then the cluster may have added this node, and may have removed it since.
// An error is the disk's.
func (n *Node) AskedToJoin() (bool, error) {
	names, err := n.dir.List()
	return slices.Contains(names, AskedToJoin), err
}

// NoteAskedToJoin makes durable that the cluster is about to be asked to add this node; or, with false, that
// it has certainly not been added by any such request. It may be called from one goroutine at a time, before
// Close. An error is the disk's, and leaves open what a later start finds.
func (n *Node) NoteAskedToJoin(asked bool) error {
	was, err := n.AskedToJoin()
	switch {
	case err != nil:
		return err
	case asked:
		return writeMark(n.dir, AskedToJoin, "the cluster was asked to add this node\n")
	case was:
		return removeMark(n.dir, AskedToJoin)
	}
	return nil
}
