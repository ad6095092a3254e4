//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package disk

import (
	"errors"
	"fmt"
	"os"
)

// lockFile refuses: a directory that two processes might use at once is worse than none.
func lockFile(path string) (*os.File, error) {
	return nil, fmt.Errorf("lock %s: this system has no lock that ends with its process: %w",
		path, errors.ErrUnsupported)
}

// inUse reports false: nobody can have locked anything.
func inUse(string) (bool, error) { return false, nil }
