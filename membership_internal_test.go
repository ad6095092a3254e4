package balsa

import (
	"reflect"
	"testing"

	"balsa/raft"
)

// Whoever asked for a change may go on writing to what it was made of.
func TestACopyOfAChangeSharesNothing(t *testing.T) {
	promote, version, drift := true, uint32(1), uint32(1000)
	change := raft.Change{Add: make([]raft.Member, 1), Update: make([]raft.Member, 1),
		Promote: make([]raft.NodeID, 1), Demote: make([]raft.NodeID, 1), Remove: make([]raft.NodeID, 1),
		Met: make([]raft.Acquaintance, 1), AutoPromote: &promote, Version: &version, LeaseDrift: &drift,
		Force: true}
	given, copied := reflect.ValueOf(change), reflect.ValueOf(cloneChange(change))
	if !reflect.DeepEqual(given.Interface(), copied.Interface()) {
		t.Errorf("%+v became %+v", given, copied)
	}
	for i := range given.NumField() {
		switch f := given.Field(i); f.Kind() {
		case reflect.Pointer, reflect.Slice:
			if f.IsNil() || f.Pointer() == copied.Field(i).Pointer() {
				t.Errorf("%s is shared, or not tested", given.Type().Field(i).Name)
			}
		}
	}
}
