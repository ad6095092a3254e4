package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"sync"
)

// core names the build whose servers a run was made of. A build of sources that no version names is known by
// what is in it: two of them are seldom the same, and a run of one is seldom a run of the other.
var core = sync.OnceValue(func() string {
	v := version()
	if v != "devel" {
		return v
	}
	path, err := os.Executable()
	if err != nil {
		return v
	}
	file, err := os.Open(path)
	if err != nil {
		return v
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return v
	}
	return v + "-" + hex.EncodeToString(sum.Sum(nil)[:4])
})
