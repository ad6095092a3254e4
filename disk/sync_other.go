//go:build !linux

package disk

import "os"

// syncData makes a file durable. On darwin os.File.Sync is F_FULLFSYNC, which also empties the drive's own
// cache.
func syncData(f *os.File, _ *beside) error { return f.Sync() }
