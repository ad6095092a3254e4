package raft_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the expected output of the transcripts in testdata")

// A transcript is a claim about Raft that can be read without knowing Go:
//
//	# The claim, with the section it comes from.
//	cluster 3                       ◀ commands, one a line; interpreter_test.go lists them
//	timeout 1
//	----
//	1  became candidate of term 1   ◀ what the servers then decided, sent, wrote and applied
//
// Blocks are separated by an empty line. The name of the file is the claim.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 16 {
		t.Fatalf("found %d transcripts, at least 16 are needed (%v)", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) { runTranscript(t, file) })
	}
}

func runTranscript(t *testing.T, file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(content), "# ") {
		t.Fatalf("%s does not begin with its claim", file)
	}
	in := newInterpreter()
	var rewritten []string
	for i, block := range parseTranscript(string(content)) {
		got := in.run(t, block.commands)
		if got != block.output && !*update {
			t.Errorf("%s, block %d:\n%s\nprinted\n%s\ninstead of\n%s",
				file, i+1, strings.Join(block.commands, "\n"), got, block.output)
		}
		block.output = got
		rewritten = append(rewritten, block.String())
	}
	if *update {
		text := strings.Join(rewritten, "\n\n") + "\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// transcriptBlock is some commands and what they printed. Comments stand among the commands.
type transcriptBlock struct {
	commands []string
	output   string
}

func (b transcriptBlock) String() string {
	s := strings.Join(b.commands, "\n")
	if b.has("") {
		s += "\n----"
	}
	if b.output != "" {
		s += "\n" + b.output
	}
	return s
}

// has reports whether the block holds a command with that prefix, comments apart.
func (b transcriptBlock) has(prefix string) bool {
	for _, c := range b.commands {
		if !strings.HasPrefix(c, "#") && strings.HasPrefix(c, prefix) {
			return true
		}
	}
	return false
}

func parseTranscript(text string) (blocks []transcriptBlock) {
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		commands, output, _ := strings.Cut(strings.TrimSpace(paragraph)+"\n", "----\n")
		blocks = append(blocks, transcriptBlock{
			commands: strings.Split(strings.TrimSpace(commands), "\n"),
			output:   strings.TrimSpace(output),
		})
	}
	return blocks
}

// TestTranscriptNoticesADifference sees the harness itself fail: a transcript whose output is wrong is
// found out.
func TestTranscriptNoticesADifference(t *testing.T) {
	const wrong = "# Nobody campaigns.\ncluster 1\ntimeout 1\n----\n1  does nothing"
	block := parseTranscript(wrong)[0]
	got := newInterpreter().run(t, block.commands)
	if got == block.output || !strings.Contains(got, "1  became leader of term 1") {
		t.Errorf("a lone server that times out printed\n%s", got)
	}
}
