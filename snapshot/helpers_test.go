package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"balsa/disk"
	"balsa/raft"
	"balsa/wire"
)

var errBroken = errors.New("broken")

func options() Options { return Options{Cluster: raft.ClusterID{1, 2, 3}, ChunkBytes: 200} }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v\nwant %v", err, want)
	}
}

// boot opens the store on a disk as a new process.
func boot(m *disk.Memory, o Options) (*Store, Found, error) {
	m.Kill()
	dir, err := m.Open()
	if err != nil {
		return nil, Found{}, err
	}
	return Open(dir, o)
}

func mustBoot(t testing.TB, m *disk.Memory) *Store {
	t.Helper()
	s, _, err := boot(m, options())
	ok(t, err)
	return s
}

func id(index raft.Index) raft.EntryID {
	return raft.EntryID{Term: raft.Term(1 + index/20), Index: index}
}

func meta(index raft.Index) Meta {
	c := raft.NewConfiguration(map[raft.NodeID]string{1: "a:1", 2: "b:2"})
	c.Members[0].Incarnation = 7
	return Meta{Last: id(index), Time: raft.Time(index) * 1000, ConfigurationIndex: index / 2,
		Configuration: wire.AppendConfiguration(nil, c)}
}

// content is what the sections of a snapshot hold: it depends on the index everywhere.
func content(index raft.Index) map[string][]byte {
	return map[string][]byte{
		"sessions": bytes.Repeat([]byte{byte(index), 1, 2}, 30),
		"empty":    {},
		"machine":  bytes.Repeat([]byte{3, byte(index), 5, byte(index) + 1}, 200),
	}
}

// write writes a snapshot in writes of 77 bytes.
func write(s *Store, index raft.Index) error {
	w, err := s.Create(meta(index))
	if err != nil {
		return err
	}
	for _, name := range []string{"sessions", "empty", "machine"} {
		if err := w.Section(name); err != nil {
			return errors.Join(err, w.Abort())
		}
		for part := range slices.Chunk(content(index)[name], 77) {
			if _, err := w.Write(part); err != nil {
				return errors.Join(err, w.Abort())
			}
		}
	}
	_, err = w.Commit()
	return err
}

// written makes a disk with snapshots.
func written(t testing.TB, indexes ...raft.Index) *disk.Memory {
	t.Helper()
	m := disk.NewMemory()
	s := mustBoot(t, m)
	for _, index := range indexes {
		ok(t, write(s, index))
	}
	m.Kill()
	return m
}

// image is the file of a snapshot as another server has it.
func image(t testing.TB, index raft.Index) []byte {
	t.Helper()
	return written(t, index).Read(fileName(id(index)))
}

// read reads a snapshot wholly and compares it with what was written.
func read(s *Store, info Info) error {
	r, err := s.Read(info.Last)
	if err != nil {
		return err
	}
	defer r.Close()
	for i, section := range info.Sections {
		in, err := r.Section(i)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(in)
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
		want, named := content(info.Last.Index)[section.Name]
		if !named || !bytes.Equal(got, want) {
			return fmt.Errorf("section %q of %v holds %d bytes, or others", section.Name, info.Last, len(got))
		}
	}
	want := meta(info.Last.Index)
	if len(info.Sections) != 3 || info.Time != want.Time ||
		!bytes.Equal(info.Configuration, want.Configuration) ||
		info.ConfigurationIndex != want.ConfigurationIndex || info.Cluster != options().Cluster {
		return fmt.Errorf("%+v", info)
	}
	return nil
}

// indexes lists what a store keeps, the newest first.
func indexes(s *Store) (found []raft.Index) {
	for _, info := range s.List() {
		found = append(found, info.Last.Index)
	}
	return found
}

// intact checks that every snapshot of a store is as it was written.
func intact(t testing.TB, s *Store) {
	t.Helper()
	for _, info := range s.List() {
		ok(t, read(s, info))
	}
}
