package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// kill is how a mutant died.
type kill struct {
	killer    string        // the command, with the one seed that it took
	failed    string        // the property or the test
	seed      string        // empty when there is none
	simulated time.Duration // until the violation; 0 for a test
	cpu       time.Duration // of the killer's process
}

// errSurvived says that a killer found nothing wrong.
var errSurvived = errors.New("it survived")

// patience is how long one killer may take.
const patience = 5 * time.Minute

// hunter kills mutants, one after the other.
type hunter struct {
	dir     string // for programs and copies
	healthy string // the program without any mutant
	clean   map[string]bool
}

func newHunter(t *testing.T) *hunter {
	t.Helper()
	h := &hunter{dir: t.TempDir(), clean: map[string]bool{}}
	h.healthy = filepath.Join(h.dir, "healthy")
	if err := build(h.healthy, ""); err != nil {
		t.Fatal(err)
	}
	return h
}

// build makes the balsa command, with the sources that an overlay names instead of theirs.
func build(program, overlay string) error {
	args := []string{"build", "-ldflags=-s -w", "-o", program}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	command := exec.Command("go", append(args, "./cmd/balsa")...)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not compile: %w\n%s", err, out)
	}
	return nil
}

// kill tries the killers in their order. An error that is not errSurvived says that something else went wrong
// than what is checked, and proves nothing.
func (h *hunter) kill(m Mutant, killers []string) (kill, error) {
	dir, err := os.MkdirTemp(h.dir, m.Name)
	if err != nil {
		return kill{}, err
	}
	overlay, err := m.Overlay(root, dir)
	if err != nil {
		return kill{}, err
	}
	program := ""
	for _, killer := range killers {
		var k kill
		if strings.HasPrefix(killer, "go test ") {
			k, err = runTest(killer, overlay)
		} else {
			if program == "" {
				program = filepath.Join(dir, "balsa")
				if err := build(program, overlay); err != nil {
					return kill{}, err
				}
				defer os.Remove(program)
			}
			k, err = runSimulator(program, killer)
		}
		if err == nil {
			return k, h.control(k.killer)
		}
		if !errors.Is(err, errSurvived) {
			return kill{}, fmt.Errorf("%s: %w", killer, err)
		}
	}
	return kill{}, errSurvived
}

// control runs the killer that killed against the program as it is: what fails there too proves nothing.
func (h *hunter) control(killer string) error {
	if h.clean[killer] {
		return nil
	}
	var err error
	if strings.HasPrefix(killer, "go test ") {
		_, err = runTest(killer, "")
	} else {
		_, err = runSimulator(h.healthy, killer)
	}
	if !errors.Is(err, errSurvived) {
		return fmt.Errorf("%s fails without any mutant too: %w", killer, err)
	}
	h.clean[killer] = true
	return nil
}

// verdict is what is read of the object that "balsa sim … -o json" prints.
type verdict struct {
	Violations []struct {
		Seed     json.Number   `json:"seed"`
		Property string        `json:"property"`
		Sentence string        `json:"sentence"`
		Time     time.Duration `json:"t"`
	} `json:"violations"`
}

// exitViolation is the exit status that says that a property does not hold.
const exitViolation = 7

func runSimulator(program, killer string) (kill, error) {
	dir, err := os.MkdirTemp("", "mutants") // the command writes the failing run below the folder it runs in
	if err != nil {
		return kill{}, err
	}
	defer os.RemoveAll(dir)
	run, stdout, stderr, err := execute(dir, program, append(strings.Fields(killer), "-o", "json")...)
	if err != nil {
		return kill{}, err
	}
	switch code := run.ExitCode(); code {
	case 0:
		return kill{}, errSurvived
	case exitViolation:
	default:
		return kill{}, fmt.Errorf("exit status %d, neither clean nor a violation: %s", code, last(stderr))
	}
	var v verdict
	if err := json.Unmarshal(stdout, &v); err != nil {
		return kill{}, fmt.Errorf("its output: %w", err)
	}
	if len(v.Violations) == 0 {
		return kill{}, errors.New("the exit status says that there was a violation, the output does not")
	}
	first := v.Violations[0]
	k := kill{killer: killer, failed: first.Property, seed: first.Seed.String(), simulated: first.Time,
		cpu: run.UserTime() + run.SystemTime()}
	k.killer = narrowed(killer, k.seed)
	return k, nil
}

var seeds = regexp.MustCompile(`--seeds \S+`)

// narrowed is a killer that looks at one seed only.
func narrowed(killer, seed string) string {
	return seeds.ReplaceAllString(killer, "--seeds "+seed+".."+seed)
}

var failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

func runTest(killer, overlay string) (kill, error) {
	args := []string{"test", "-count=1", "-failfast", "-vet=off"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	words := strings.Fields(strings.TrimPrefix(killer, "go test "))
	run, stdout, stderr, err := execute(root, "go", append(args, words...)...)
	if err != nil {
		return kill{}, err
	}
	if run.ExitCode() == 0 {
		if bytes.Contains(stdout, []byte("no tests to run")) {
			return kill{}, errors.New("there is no such test")
		}
		return kill{}, errSurvived
	}
	found := failedTest.FindSubmatch(stdout)
	if found == nil {
		return kill{}, fmt.Errorf("no test failed: %s", last(append(stdout, stderr...)))
	}
	return kill{killer: killer, failed: string(found[1]), cpu: run.UserTime() + run.SystemTime()}, nil
}

// execute runs a program in a folder. An error says that it did not come to an end of its own.
func execute(dir, program string, args ...string) (
	run *os.ProcessState, stdout, stderr []byte, err error,
) {
	enough, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := exec.CommandContext(enough, program, args...)
	command.Dir = dir
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	err = command.Run()
	if enough.Err() != nil {
		return nil, nil, nil, fmt.Errorf("not done after %v", patience)
	}
	if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		return nil, nil, nil, err
	}
	return command.ProcessState, out.Bytes(), complaint.Bytes(), nil
}

// last returns the end of what a program said.
func last(said []byte) string {
	const most = 600
	return string(bytes.TrimSpace(said[max(0, len(said)-most):]))
}
