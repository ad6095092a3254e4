package main

import (
	"errors"
	"fmt"
	"strings"

	"balsa"
	"balsa/disk"
	"balsa/raft"
	"balsa/snapshot"
	"balsa/wal"
)

// What a person does about damage of a data directory. The packages that find it say what holds for every
// program that uses them; here it is known what balsa serve does by itself, and which commands there are.

// damageAdvice says what to do about a directory whose log or snapshots are damaged. refused: a node was just
// refused to start with it, and repairs says whether it was to repair itself.
func damageAdvice(dir disk.Dir, id raft.NodeID, refused, repairs bool) string {
	const hands = "delete and edit nothing by hand; "
	replace := "balsa member replace"
	if id != raft.None {
		replace = fmt.Sprintf("%s %v", replace, id)
	}
	switch err := balsa.Repairable(dir); {
	case errors.Is(err, balsa.ErrAlone):
		return hands + "it is the only voter, as far as it knows, so nobody can bring back what it lost: " +
			"put back the undamaged file as it was at the last stop, or make a new cluster of a backup, " +
			"with balsa restore"
	case err != nil:
		return hands + "put back the undamaged file as it was at the last stop, or have an empty directory " +
			"take the place of this one, with " + replace
	case refused && !repairs:
		return hands + "start it without --repair=false, and it repairs itself from the other nodes; or " +
			"have an empty directory take the place of this one, with " + replace
	case refused:
		return hands + "start it once more; if that does not help, have an empty directory take the place " +
			"of this one, with " + replace
	}
	return hands + "start the node with its own command line: balsa serve sets aside what is damaged, and " +
		"repairs itself from the other nodes"
}

// doVerify is the advice of who has looked at one part of a data directory: what to do depends on the others.
func doVerify(path string) string {
	return fmt.Sprintf("delete and edit nothing by hand; balsa verify %s says what to do", path)
}

// advise puts advice in the place of what the packages say of damage.
func advise(text, advice string) string {
	return strings.NewReplacer(wal.ErrCorrupt.Error(), "damaged: "+advice,
		snapshot.ErrCorrupt.Error(), "damaged snapshot: "+advice,
		" ("+balsa.ErrAlone.Error()+")", "").Replace(text)
}

// adviseRefused is advise for a node that was refused to start.
func adviseRefused(s settings, err error) error {
	dir, look := disk.Look(s.node.Dir)
	if look != nil {
		return err
	}
	return errors.New(advise(err.Error(), damageAdvice(dir, s.node.ID, true, s.node.Repair)))
}
