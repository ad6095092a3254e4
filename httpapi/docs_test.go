package httpapi

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestErrorsAreDocumented: every code that a node answers with, beside its status.
func TestErrorsAreDocumented(t *testing.T) {
	source, err := os.ReadFile("../client/errors.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := []string{}
	constant := regexp.MustCompile(`= "([a-z_]+)" +// ([0-9]+)(.*)`)
	for _, m := range constant.FindAllStringSubmatch(string(source), -1) {
		if !strings.Contains(m[3], "reserved") {
			rows = append(rows, fmt.Sprintf("| %s | `%s` |", m[2], m[1]))
		}
	}
	for _, c := range causes() {
		rows = append(rows, fmt.Sprintf("| %d | `%s` |", c.status, c.code))
	}
	for _, row := range rows {
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/errors.md has no row %s", row)
		}
	}
	if len(rows) < 30 {
		t.Errorf("only %d codes were found", len(rows))
	}
}
