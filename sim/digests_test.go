package sim

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var renew = flag.Bool("renew-digests", false, "write the digests of this program into testdata/digests.json")

// TestDigestsOfOthers compares a few seeds of each profile with what another machine made of them: the first
// three, and the first behind them in which turns take time. After a change of what servers or the simulator
// do the digests are others, and are renewed with
//
//	go test ./sim -run DigestsOfOthers -renew-digests
//
// so that the change is seen to be one by who reads its commit.
func TestDigestsOfOthers(t *testing.T) {
	const file = "testdata/digests.json"
	now := map[string][]Digest{}
	names, _ := Profiles()
	for _, profile := range names {
		for seed := uint64(0); seed < 30 && len(now[profile]) < 4; seed++ {
			spec := Drawn(profile, seed)
			if seed < 3 || spec.Options.Turn > 0 {
				spec.Options.Faulty = 10 * Second
				now[profile] = append(now[profile], perform(t, spec).Digest)
			}
		}
	}
	if *renew {
		text, err := json.MarshalIndent(now, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var known map[string][]Digest
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	for _, profile := range names {
		for i, d := range now[profile] {
			if i >= len(known[profile]) || known[profile][i] != d {
				t.Errorf("%s, run %d: the digest is %v, and in %s %v; a changed program renews them with "+
					"-renew-digests", profile, i, d, file, known[profile])
			}
		}
	}
}
