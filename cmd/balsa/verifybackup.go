package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"balsa/snapshot"
)

// verifyFile verifies one file: a backup, or a snapshot that was copied.
func (c *console) verifyFile(ctx context.Context, path string) (*verdict, error) {
	if err := meansToBeSnapshot(path); err != nil {
		return nil, err
	}
	dir, err := c.look(ctx, "verify", filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.end()
	name := filepath.Base(path)
	k := &checking{dir: dir, rows: map[string]*checkedFile{}, names: []string{name},
		verdict: &verdict{Directory: filepath.Dir(path), Findings: []finding{}}}
	k.sizes = dir.sizes(k.names)
	dir.expect(name, 2*k.sizes[name]) // once as it stands, and once for what is in it
	shown, err := readSnapshot(dir, name)
	if err := k.take(name, err); err != nil {
		return nil, err
	}
	if err == nil {
		k.Cluster = shown.Cluster
		k.say(name, "good", "up to index %d of term %d, %s, %s, %s", shown.Index, shown.Term,
			bytesOf(shown.Size), count(int(shown.Holds.Keys), "key"), count(shown.Holds.Sessions, "session"))
	}
	for i := range k.Findings {
		k.Findings[i].Do = strings.Replace(k.Findings[i].Do, snapshot.ErrCorrupt.Error(), doOther, 1)
	}
	k.others()
	k.Bytes, k.Good = dir.done, len(k.Findings) == 0
	return k.verdict, nil
}

// doOther is what to do about a damaged backup.
const doOther = "restore from another backup, and look at the disk that held this one"

// isFile reports whether a path names a file.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// unfinished notes that the making of a directory was cut short, and reports whether it was: what is there
// then need not make sense.
func (k *checking) unfinished() bool {
	for _, name := range k.names {
		if what, is := strings.CutSuffix(name, ".unfinished"); is {
			what, _, _ = strings.Cut(what, "-")
			k.found(finding{name, 0, "a " + what + " was cut short here, and no node starts",
				"give the same balsa " + what + " once more"})
		}
	}
	return len(k.Findings) > 0
}

// setAside reports whether a file is one of those that a recovery, or a repair, has kept under another name:
// of which cluster, or by which repair, stands between that prefix and the old name.
func setAside(name, prefix string) bool {
	rest, is := strings.CutPrefix(name, prefix)
	_, of, _ := strings.Cut(rest, "-")
	return is && (ours(of) || strings.HasSuffix(of, ".tmp"))
}
