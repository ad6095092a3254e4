//go:build !(darwin || dragonfly || freebsd || linux)

package disk

// free does not know: only a write tells that the disk is full.
func free(string) (bytes int64, known bool) { return 0, false }
