package main

import (
	"fmt"
	"slices"
	"strings"

	"balsa/raft"
)

// rows are a snapshot for people.
func (s *shownSnapshot) rows() [][]string {
	rows := [][]string{
		{"file", s.File},
		{"cluster", s.Cluster},
		{"last entry", fmt.Sprintf("index %d of term %d", s.Index, s.Term)},
		{"log time", s.Time},
		{"members", s.since()},
	}
	for _, m := range s.Members {
		rows = append(rows, []string{"member", m.String()})
	}
	rows = append(rows, []string{"size", fmt.Sprintf("%d bytes", s.Size)},
		[]string{"codec", fmt.Sprintf("%s, in chunks of %s", s.Codec, bytesOf(int64(s.Chunk)))},
		[]string{"checksum", s.Checksum + ", verified, and that of each chunk"})
	for _, section := range s.Sections {
		rows = append(rows, []string{"section", fmt.Sprintf("%s, %d bytes", section.Name, section.Size)})
	}
	if h := s.Holds; h != nil {
		retries := fmt.Sprintf("%s and %s, %s remembered", count(h.Sessions, "session"),
			count(h.IdempotencyKeys, "idempotency key"), bytesOf(int64(h.Remembered)))
		keys := fmt.Sprintf("%d (%d with a time to live), %s, at revision %d", h.Keys, h.Expiring,
			bytesOf(int64(h.Bytes)), h.Revision)
		rows = append(rows, []string{"retries", retries}, []string{"keys", keys})
	}
	return rows
}

// since says which configuration the members are of.
func (s *shownSnapshot) since() string {
	if s.Since == 0 {
		return count(len(s.Members), "member") + " of the bootstrap configuration"
	}
	return fmt.Sprintf("%s of the configuration of entry %d", count(len(s.Members), "member"), s.Since)
}

// String is a member for people.
func (m shownMember) String() string {
	parts := []string{fmt.Sprintf("%d, %s, %s", m.ID, m.Role, m.Address)}
	if m.API != "" {
		parts = append(parts, "clients "+m.API)
	}
	if m.Incarnation != "" {
		parts = append(parts, "incarnation "+m.Incarnation)
	}
	return strings.Join(parts, ", ")
}

// roleIn is what a member is to the decisions of a configuration.
func roleIn(c raft.Configuration, id raft.NodeID) string {
	voter, leaving := slices.Contains(c.Voters, id), slices.Contains(c.Outgoing, id)
	switch {
	case slices.Contains(c.Learners, id):
		return "learner"
	case voter && len(c.Outgoing) > 0 && !leaving:
		return "voter, entering"
	case !voter && leaving:
		return "voter, leaving"
	}
	return "voter"
}
