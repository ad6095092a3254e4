package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"balsa/kv"
	"balsa/raft"
	"balsa/replica"
	"balsa/snapshot"
	"balsa/wire"

	"github.com/spf13/cobra"
)

func snapshotInspectCommand(c *console) *cobra.Command {
	var as format
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what a snapshot file holds, and verify it",
		Long: `Read one snapshot file, wherever it lies, verify every byte of it, and say what it holds.
No node is asked, and nothing is written. Of a file in a data directory the name says
which snapshot it is; one that was copied may have any name.

Exit status: 0 it is good, 7 it is damaged, 2 it is no snapshot, 1 it cannot be read, or
its content cannot, because a later version has written it or the codec is missing.`,
		Example: `  balsa snapshot inspect data/00000000000000001200-t00000000000000000003.snapshot
  balsa snapshot inspect copy.snapshot -o json`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := as.check(); err != nil {
				return err
			}
			return c.inspect(cmd, as, args[0])
		},
	}
	as.register(cmd.Flags(), "table")
	return cmd
}

// inspect reads a snapshot and says what it holds, as far as it can be read.
func (c *console) inspect(cmd *cobra.Command, as format, file string) error {
	if err := meansToBeSnapshot(file); err != nil {
		return err
	}
	dir, err := c.look(cmd.Context(), "inspect", filepath.Dir(file))
	if err != nil {
		return err
	}
	defer dir.end()
	name := filepath.Base(file)
	dir.expect(name, 2*dir.sizes([]string{name})[name]) // once as it stands, and once for what is in it
	shown, found := readSnapshot(dir, name)
	dir.end()
	if stop := unreadable(found); stop != nil {
		return stop
	}
	if shown == nil {
		return inspectError(dir, found)
	}
	if as == "json" {
		err = c.json(shown)
	} else {
		err = c.table(as, []string{"WHAT", "VALUE"}, shown.rows())
	}
	if err != nil {
		return outputError(err)
	}
	return inspectError(dir, found)
}

// doAnotherCopy is what to do about a damaged snapshot that lies outside of data directories.
const doAnotherCopy = "use another copy, and look at the disk that held this one"

// inspectError gives what is wrong with a snapshot of a directory its exit status, and says what to do.
func inspectError(dir *watched, err error) error {
	if !errors.Is(err, snapshot.ErrCorrupt) {
		return snapshotError(err)
	}
	advice := doAnotherCopy
	if dir.ofNode() {
		advice = doVerify(dir.path)
	}
	return fail(exitViolation, "%s", advise(err.Error(), advice))
}

// snapshotError gives what is wrong with a snapshot its exit status.
func snapshotError(err error) error {
	status := exitError
	if errors.Is(err, snapshot.ErrCorrupt) || isContent(err) {
		status = exitViolation
	}
	if err != nil {
		return fail(status, "%w", err)
	}
	return nil
}

// meansToBeSnapshot refuses a file that is none, and never was.
func meansToBeSnapshot(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(exitUsage, "there is no file %s: name a snapshot", file)
	case err != nil:
		return fail(exitError, "%w", err)
	case info.IsDir():
		return fail(exitUsage, "%s is a directory: name a file in it, or see balsa help verify", file)
	case !info.Mode().IsRegular():
		return fail(exitUsage, "%s is a device or a pipe: write what it says to a file first", file)
	}
	if strings.HasSuffix(file, ".snapshot.part") {
		return fail(exitUsage, "%s is a snapshot that has not arrived completely, %s so far: there is "+
			"nothing to inspect before it has", file, bytesOf(info.Size()))
	}
	if _, named := snapshot.ParseName(filepath.Base(file)); named {
		return nil // whatever it begins with, it must be one
	}
	f, err := os.Open(file)
	if err != nil {
		return unreadable(err)
	}
	defer f.Close()
	head := make([]byte, 8)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return fail(exitError, "%w", err)
	}
	if !snapshot.Begins(head[:n]) {
		return fail(exitUsage, "%s is no snapshot: it does not begin as one", file)
	}
	return nil
}

// shownSnapshot is what a snapshot holds, as JSON.
type shownSnapshot struct {
	File     string         `json:"file"`
	Cluster  string         `json:"cluster"`
	Term     uint64         `json:"term"`  // of the last entry that it includes
	Index    uint64         `json:"index"` // of that entry
	Time     string         `json:"log_time"`
	Members  []shownMember  `json:"members"`
	Since    uint64         `json:"members_index"` // of the entry that brought them; 0: bootstrap
	Size     int64          `json:"size"`
	Codec    string         `json:"codec"`
	Chunk    int            `json:"chunk_bytes"`
	Checksum string         `json:"checksum"`
	Sections []shownSection `json:"sections"`
	Holds    *holds         `json:"holds,omitempty"` // what could be read of it
}

type shownMember struct {
	ID          uint64 `json:"id"`
	Role        string `json:"role"`
	Incarnation string `json:"incarnation,omitempty"`
	Address     string `json:"address"`
	API         string `json:"api,omitempty"`
}

type shownSection struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// holds is what the state in a snapshot consists of.
type holds struct {
	Sessions        int    `json:"sessions"`
	IdempotencyKeys int    `json:"idempotency_keys"`
	Remembered      int    `json:"remembered_bytes"` // results that are kept for retries
	Keys            uint64 `json:"keys"`
	Expiring        uint64 `json:"expiring_keys"`
	Bytes           uint64 `json:"bytes"` // of keys and values
	Revision        uint64 `json:"revision"`
}

// errContent is wrapped when every checksum of a snapshot is right and what it holds is no state.
type errContent struct{ error }

func (e errContent) Unwrap() error { return e.error }

func isContent(err error) bool { return errors.As(err, new(errContent)) }

// readSnapshot verifies a snapshot and reads all of it. What could be read is returned together with what is
// wrong; nothing if that is the file as such.
func readSnapshot(dir *watched, name string) (*shownSnapshot, error) {
	r, err := snapshot.View(dir, name, compression{})
	if r == nil {
		return nil, err
	}
	defer r.Close()
	info := r.Info()
	shown := &shownSnapshot{File: name, Cluster: info.Cluster.String(), Term: uint64(info.Last.Term),
		Index: uint64(info.Last.Index), Time: logTime(info.Time), Since: uint64(info.ConfigurationIndex),
		Size: info.Size, Codec: info.Codec, Chunk: info.ChunkBytes,
		Checksum: fmt.Sprintf("%016x", info.Checksum)}
	for _, s := range info.Sections {
		shown.Sections = append(shown.Sections, shownSection{s.Name, s.Size})
	}
	members, rest, wrong := wire.DecodeConfiguration(info.Configuration)
	if wrong == nil && len(rest) > 0 {
		wrong = errors.New("something stands behind its members")
	}
	if wrong != nil {
		return shown, errContent{fmt.Errorf("%s: its members cannot be read: %w", name, wrong)}
	}
	shown.Members = shownMembers(members)
	if err != nil {
		return shown, err // the codec is missing
	}
	shown.Holds, err = readState(r)
	return shown, err
}

// readState reads the sections of a snapshot as a node does that restores it, and keeps nothing of them.
func readState(r *snapshot.Reader) (*holds, error) {
	info := r.Info()
	if len(info.Sections) != 1 || info.Sections[0].Name != "state" {
		return nil, errContent{fmt.Errorf("%v: its sections are not those that this version knows",
			info.Last)}
	}
	in, err := r.Section(0)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var contents kv.Contents
	remembered, err := replica.ReadImage(info.Last, in, func(in io.Reader) (err error) {
		contents, err = kv.Examine(in)
		return err
	})
	if err != nil && (errors.Is(err, replica.ErrBadImage) || errors.Is(err, kv.ErrBadSnapshot)) {
		return nil, errContent{fmt.Errorf("%v: every checksum is right, and no node can restore it: %w",
			info.Last, err)}
	}
	if err != nil {
		return nil, err
	}
	return &holds{Sessions: remembered.Sessions, IdempotencyKeys: remembered.Keys,
		Remembered: remembered.Bytes, Keys: contents.Keys, Expiring: contents.Expiring, Bytes: contents.Bytes,
		Revision: uint64(contents.Revision)}, nil
}

func shownMembers(c raft.Configuration) (shown []shownMember) {
	for _, m := range c.Members {
		one := shownMember{ID: uint64(m.ID), Role: roleIn(c, m.ID), Address: m.Address, API: m.API}
		if m.Incarnation != 0 {
			one.Incarnation = fmt.Sprintf("%016x", uint64(m.Incarnation))
		}
		shown = append(shown, one)
	}
	return shown
}

// shortTime writes a log time to the millisecond.
func shortTime(t raft.Time) string {
	return time.Unix(0, int64(t)).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// logTime writes a log time to the nanosecond.
func logTime(t raft.Time) string { return time.Unix(0, int64(t)).UTC().Format(time.RFC3339Nano) }
