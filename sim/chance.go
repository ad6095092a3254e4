package sim

import "math/bits"

// chance is where all that is random in a run comes from: each draw is a hash of the seed, what it is for,
// who draws, and how manyth draw of that kind it is. There is no stream that is consumed: to lose one message
// changes no other message's delay and nobody's timer, so what a run does differently after an intervention
// is what the intervention caused.
type chance uint64

// purpose says what a draw is for. The numbers are part of every recorded run: a new one goes to the end.
type purpose uint64

const (
	forDice purpose = iota + 1
	forIncarnation
	forClock
	forLatency
	forDisk
	forApply
	forCrash
	forKeep
	forRefusal
	forThinking
	forRequest
	forClientLatency
	forLoss
	forRepetition
	forDelay
	forCorruption
	forReply
	forSwarm
	forPreparation
	forReplay
	forSnapshot
	forOnce
	forTurn
)

// draw returns the nth roll of who, or of the pair of who and whom.
func (c chance) draw(p purpose, who, whom, n uint64) roll {
	h := mix(uint64(c), uint64(p))
	h = mix(h, who<<32|whom)
	return roll(mix(h, n))
}

// mix is a step of a 64-bit hash: multiplied to 128 bits and folded, so that every bit of both reaches every
// bit of the outcome.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, v^0xe7037ed1a0b428db)
	h = hi ^ lo ^ bits.RotateLeft64(h, 23) + v
	h ^= h >> 32
	return h * 0xd6e8feb86659fd93
}

// roll is one draw: 64 random bits, from which several values can be taken.
type roll uint64

// again returns another roll that depends on this one alone.
func (r roll) again() roll { return roll(mix(uint64(r), 0x2545f4914f6cdd1d)) }

// below returns a number below n; 0 if n is 0.
func (r roll) below(n uint64) uint64 {
	hi, _ := bits.Mul64(uint64(mix(uint64(r), 1)), n)
	return hi
}

// perMille is true in so many of a thousand rolls.
func (r roll) perMille(rate int) bool { return r.below(1000) < uint64(max(rate, 0)) }

// perMillion is true in so many of a million rolls.
func (r roll) perMillion(rate int) bool { return r.below(1_000_000) < uint64(max(rate, 0)) }

// between returns a time from lo up to hi.
func (r roll) between(lo, hi Time) Time {
	if hi <= lo {
		return lo
	}
	return lo + Time(r.below(uint64(hi-lo)+1))
}

// exponential returns a time with that mean, nearly as waiting times are distributed, and at most 20 times
// it. It is computed in whole numbers: -ln(u) from the position of the highest bit of u and a straight line
// between powers of two, for the last digit of a logarithm differs from machine to machine.
func (r roll) exponential(mean Time) Time {
	u := mix(uint64(r), 2) | 1
	zeros := bits.LeadingZeros64(u)
	mantissa := u << zeros << 1 >> 44                         // the 20 bits behind the highest one
	log2 := uint64(zeros+1)<<20 - mantissa                    // of 1/u, in 2^-20
	return min(Time(uint64(mean)*log2>>20*693/1000), 20*mean) // ln 2
}
