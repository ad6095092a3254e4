package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// Time is virtual: nanoseconds since the beginning of the run, or between two moments of it. It is a type of
// its own so that nothing in this package can reach for a real clock.
type Time int64

// The units.
const (
	Microsecond Time = 1000
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
	Minute           = 60 * Second
	Hour             = 60 * Minute
)

type unit struct {
	name string
	size Time
}

// units are tried from the largest on.
func units() [6]unit {
	return [...]unit{{"h", Hour}, {"m", Minute}, {"s", Second}, {"ms", Millisecond}, {"us", Microsecond},
		{"ns", 1}}
}

// String prints the time in the largest unit in which it is at least one, with as many decimals as it needs:
// "1.25s", "300ms".
func (t Time) String() string {
	if t == 0 {
		return "0s"
	}
	sign, rest := "", t
	if t < 0 {
		sign, rest = "-", -t
	}
	for _, u := range units() {
		if rest < u.size {
			continue
		}
		whole, part := rest/u.size, rest%u.size
		decimals := ""
		if part > 0 && u.size < Minute {
			digits := fmt.Sprintf("%0*d", len(strconv.FormatInt(int64(u.size), 10))-1, part)
			decimals = "." + strings.TrimRight(digits, "0")
		} else if part > 0 {
			return fmt.Sprintf("%s%d%s%v", sign, whole, u.name, part)
		}
		return fmt.Sprintf("%s%d%s%s", sign, whole, decimals, u.name)
	}
	return "0s"
}

// times is so many times as long, but never so long that it could not be added to a moment any more: what
// would end before it began breaks the order of time.
func (t Time) times(n int64) Time {
	const longest Time = 1 << 60
	if n > 0 && t > longest/Time(n) {
		return longest
	}
	return t * Time(n)
}

// ParseTime reads what String prints: numbers with up to nine decimals, each with a unit of h, m, s, ms, us,
// ns.
func ParseTime(text string) (Time, error) {
	rest, negative := strings.CutPrefix(text, "-")
	if rest == "0" {
		return 0, nil
	}
	var sum Time
	for len(rest) > 0 {
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if end <= 0 {
			return 0, badTime(text)
		}
		number := rest[:end]
		rest = rest[end:]
		end = strings.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' })
		if end < 0 {
			end = len(rest)
		}
		part, ok := scaled(number, rest[:end])
		if !ok || sum+part < sum {
			return 0, badTime(text)
		}
		sum, rest = sum+part, rest[end:]
	}
	if text == "" || text == "-" {
		return 0, badTime(text)
	}
	if negative {
		sum = -sum
	}
	return sum, nil
}

func badTime(text string) error {
	return fmt.Errorf("%q is no time: write it like 250ms, 1.5s or 2m", text)
}

// scaled is a number with decimals in a unit.
func scaled(number, unit string) (Time, bool) {
	whole, decimals, _ := strings.Cut(number, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	for _, u := range units() {
		if u.name != unit {
			continue
		}
		if err != nil || n > (1<<62)/int64(u.size) || len(decimals) > 9 {
			return 0, false
		}
		t, step := Time(n)*u.size, u.size
		for _, d := range decimals {
			step /= 10
			if d < '0' || d > '9' {
				return 0, false
			}
			t += Time(d-'0') * step
		}
		return t, true
	}
	return 0, false
}

// MarshalText makes times readable in a file.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Time) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTime(string(text))
	return err
}
