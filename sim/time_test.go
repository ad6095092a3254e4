package sim

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTimesAsText(t *testing.T) {
	for _, c := range []struct {
		time Time
		text string
	}{
		{0, "0s"}, {300 * Millisecond, "300ms"}, {1250 * Millisecond, "1.25s"}, {7, "7ns"},
		{-2 * Second, "-2s"}, {90 * Second, "1m30s"}, {2*Hour + 1, "2h1ns"}, {Second + 1, "1.000000001s"},
	} {
		if got := c.time.String(); got != c.text {
			t.Errorf("%d prints as %s, want %s", c.time, got, c.text)
		}
	}
	for _, bad := range []string{"", "-", "5", "ms", "1.5x", "1..5s", "99999999999999h", "1s-"} {
		if got, err := ParseTime(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := Time(rapid.Int64Range(-1<<60, 1<<60).Draw(t, "time"))
		if got, err := ParseTime(want.String()); got != want || err != nil {
			t.Fatalf("%v comes back as %v, %v", want, got, err)
		}
	})
}
