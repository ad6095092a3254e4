// Package wal keeps a server's hard state and its entries (Figure 2, "persistent state") on a disk, so that
// what Append acknowledged is there after any power cut, and nothing else is.
package wal
