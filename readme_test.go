package balsa_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme keeps the README true where it can be checked: its two commands, its Go code, its links.
func TestReadme(t *testing.T) {
	readme := read(t, "README.md")
	example := trimmed(read(t, "example_test.go") + read(t, "example_session_test.go"))
	own := trimmed(read(t, "sim/simtest/example_test.go"))
	for _, c := range []string{"go run ./cmd/balsa dev ", "go test ./... "} {
		if at := strings.Index(readme, "\n"+c); at < 0 || at > 200 {
			t.Errorf("%q is not at the top of README.md", c)
		}
	}
	blocks := strings.Split(readme, "```go\n")
	for _, block := range blocks[1:] {
		code, _, _ := strings.Cut(block, "```")
		switch {
		case strings.Contains(code, "interface"):
		case strings.Contains(code, "simtest."):
			if !strings.Contains(own, trimmed(code)) {
				t.Errorf("this is not part of the example of sim/simtest:\n%s", code)
			}
		case !strings.Contains(example, trimmed(code)):
			t.Errorf("this is not part of the examples of the package:\n%s", code)
		}
	}
	if len(blocks) < 3 {
		t.Errorf("README.md has %d blocks of Go", len(blocks)-1)
	}
	guides, err := filepath.Glob("docs/*.md")
	if err != nil || len(guides) < 5 {
		t.Fatalf("guides: %v, %v", guides, err)
	}
	for _, name := range append(guides, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		for _, link := range links(read(t, name)) {
			file, _, _ := strings.Cut(link, "#")
			_, err := os.Stat(filepath.Join(filepath.Dir(name), file))
			if err != nil && !strings.Contains(link, "://") {
				t.Errorf("%s links to %s, which does not exist", name, link)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// trimmed is code without its indentation.
func trimmed(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// links returns the targets of a document's links.
func links(markdown string) (targets []string) {
	parts := strings.Split(markdown, "](")
	for _, part := range parts[1:] {
		target, _, _ := strings.Cut(part, ")")
		targets = append(targets, target)
	}
	return targets
}
