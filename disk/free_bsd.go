//go:build darwin || dragonfly || freebsd

package disk

import "syscall"

// free returns what is left to who is not root; less than nothing is nothing.
func free(path string) (bytes int64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, false
	}
	return max(0, int64(s.Bavail)) * int64(s.Bsize), true
}
