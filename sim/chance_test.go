package sim

import "testing"

// The rolls are spread as they say. Every bound here is many standard deviations wide.
func TestChance(t *testing.T) {
	const n = 200_000
	c := chance(7)
	var sum, above Time
	hits, below := 0, [10]int{}
	for i := range uint64(n) {
		r := c.draw(forLatency, 1, 2, i)
		if r.perMille(250) {
			hits++
		}
		below[r.below(10)]++
		e := r.again().exponential(Millisecond)
		sum += e
		if e > Millisecond {
			above++
		}
	}
	if mean := sum / n; mean < 950*Microsecond || mean > 1050*Microsecond {
		t.Errorf("waiting times of mean 1ms have mean %v", mean)
	}
	if above < n*34/100 || above > n*40/100 { // 1/e = 0.368
		t.Errorf("%d of %d waiting times are above their mean", above, n)
	}
	if hits < n*245/1000 || hits > n*255/1000 {
		t.Errorf("250 of 1000 came %d times of %d", hits, n)
	}
	for digit, count := range below {
		if count < n*95/1000 || count > n*105/1000 {
			t.Errorf("%d came %d times of %d", digit, count, n)
		}
	}
}

// Two draws that differ in anything have nothing to do with each other.
func TestChanceIsKeyed(t *testing.T) {
	seen := map[roll]bool{}
	for seed := range chance(5) {
		for p := forDice; p <= forPreparation; p++ {
			for who := range uint64(5) {
				for whom := range uint64(5) {
					for n := range uint64(20) {
						r := seed.draw(p, who, whom, n)
						if seen[r] {
							t.Fatalf("drawn twice: seed %d purpose %d %d→%d number %d", seed, p, who, whom, n)
						}
						seen[r] = true
					}
				}
			}
		}
	}
}
