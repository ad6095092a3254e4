package kv_test

import (
	"bytes"
	"fmt"

	"balsa/kv"
	"balsa/raft"
)

// The map is an ordinary value: it needs no cluster to be tried.
func Example() {
	store := kv.New()
	text, err := kv.ParseText("SET greeting hello world")
	if err != nil {
		fmt.Println(err)
		return
	}
	store.Apply(raft.Entry{Index: 2, Kind: raft.Normal, Command: text})
	answer := store.Apply(raft.Entry{Index: 3, Kind: raft.Normal, Command: kv.Put("greeting", []byte("hi"))})

	result, err := kv.DecodeResult(answer)
	fmt.Println(result.Created, result.Revision, err)
	item, found := store.Get("greeting")
	fmt.Printf("%s %v, created by entry %d, version %d\n", item.Value, found, item.Created, item.Version)
	// Output:
	// false 3 <nil>
	// hi true, created by entry 2, version 2
}

// A snapshot is captured at once and written later; what happens meanwhile is not in it.
func ExampleStore_Snapshot() {
	store := kv.New()
	store.Apply(raft.Entry{Index: 1, Command: kv.Put("a", []byte("1"))})
	capture, _ := store.Snapshot()
	store.Apply(raft.Entry{Index: 2, Command: kv.Delete("a")})

	var image bytes.Buffer
	if _, err := capture.WriteTo(&image); err != nil {
		fmt.Println(err)
	}
	restored := kv.New()
	fmt.Println(restored.Restore(&image), restored.Len(), store.Len())
	// Output: <nil> 1 0
}
