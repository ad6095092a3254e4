package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// drawStatus keeps a line below the logs that says what each node is at the moment.
func (l *lines) drawStatus(ctx context.Context, s *supervisor) {
	ticker := time.NewTicker(300 * time.Millisecond)
	defer ticker.Stop()
	for {
		reports := askAll(ctx, s.cluster)
		if ctx.Err() != nil {
			return
		}
		l.screen.show(l.statusLine(s.look(), reports))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// statusLine is one line: for each node, in its colour, its role, term and commit index.
func (l *lines) statusLine(now outcome, reports []report) string {
	var parts []string
	for i, m := range now.Members {
		text := fmt.Sprintf("%d %s", m.ID, m.State)
		if i >= len(reports) { // it came when the cluster ran
			parts = append(parts, l.console.nodeColor(l.console.err, m.ID, text))
			continue
		}
		if status := reports[i].Status; status != nil && m.State == "running" {
			text = fmt.Sprintf("%d %s term %d commit %d", m.ID, reports[i].role(), status.Term, status.Commit)
		}
		parts = append(parts, l.console.nodeColor(l.console.err, m.ID, text))
	}
	if len(now.Cut) > 0 {
		parts = append(parts, "parted")
	}
	return strings.Join(parts, " | ")
}
