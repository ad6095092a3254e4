package mutants

import (
	"errors"
	"path"
	"strings"
	"testing"
	"time"
)

// TestMutantsDie puts each mutant that the flags choose into the program and demands that a killer notices,
// and that the same killer finds nothing wrong with the program as it is. It writes what it learnt to
// docs/mutants.md if a flag chose the mutants.
//
//	go test ./sim/mutants -run MutantsDie -all -timeout 4h
//	go test ./sim/mutants -run MutantsDie -changed origin/main -sample 10 -minutes 8
func TestMutantsDie(t *testing.T) {
	all := catalogue(t)
	list, err := chosen(all)
	if err != nil {
		t.Fatal(err)
	}
	known, err := readTable(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	h, told, began, killed := newHunter(t), claims(t), time.Now(), 0
	for i, m := range list {
		if *minutes > 0 && time.Since(began) > time.Duration(*minutes)*time.Minute {
			t.Logf("%d of %d mutants were not tried: %d minutes are over", len(list)-i, len(list), *minutes)
			break
		}
		k, err := h.kill(m, known.killers(m, told[m.Name]))
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		killed++
		t.Logf("%-28s %-20s seed %-6s %8v simulated %8v CPU   %s", m.Name, k.failed, k.seed,
			k.simulated.Round(time.Millisecond), k.cpu.Round(time.Millisecond), k.killer)
		known.note(m, k, suite(t, h, m))
		if asked() {
			if err := known.write(tableFile, all); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d of %d mutants killed in %v", killed, len(list), time.Since(began).Round(time.Second))
}

// rooms are the packages whose own tests are tried with -suites.
var rooms = []string{"raft", "replica", "wal", "wire", "kv"}

// suite returns which test of the packages kills the mutant as well, beginning with those of its own package:
// empty when that was not asked for.
func suite(t *testing.T, h *hunter, m Mutant) string {
	t.Helper()
	if !*suites {
		return ""
	}
	own := path.Dir(m.Edits[0].File)
	killers := []string{"go test -short ./" + own}
	for _, room := range rooms {
		if room != own {
			killers = append(killers, "go test -short ./"+room)
		}
	}
	k, err := h.kill(m, killers)
	switch {
	case errors.Is(err, errSurvived):
		return "none"
	case err != nil:
		t.Errorf("%s: %v", m.Name, err)
		return ""
	}
	return "`" + strings.TrimPrefix(k.killer, "go test -short ./") + "` " + k.failed
}
