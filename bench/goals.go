package main

import (
	"math"
	"strings"
)

// pass is one turn of all systems at a workload.
type pass struct {
	limits  limits
	figures map[string]figure // by system
}

// result is all that was measured of a workload.
type result struct {
	workload workload
	passes   []pass
}

// goal is what balsa wants to reach: a ratio, of each pass.
type goal struct {
	text     string
	workload string
	bound    float64
	atMost   bool               // or at least
	ratio    func(pass) float64 // not a number where it cannot be said
}

// value is one field of a figure.
type value func(figure) float64

func ops(f figure) float64  { return f.Ops }
func p50(f figure) float64  { return float64(f.P50) }
func cpu(f figure) float64  { return f.CPU }
func heap(f figure) float64 { return f.Heap }

func goals() []goal {
	all := []goal{
		{"1 client: p50 / (fdatasync of three files at once + one round trip)", "w1", 1.25, true,
			func(p pass) float64 { return p.ours(p50) / float64(p.limits.lone()) }},
		{"1 client: p50 / the best peer's", "w1", 1, true, p50Ratio("")},
	}
	for _, clients := range []string{"16", "64", "256", "1024"} {
		all = append(all,
			goal{clients + " clients: throughput / the best peer's", "w" + clients, 1.5, false, opsRatio("")},
			goal{clients + " clients: p99 / that peer's p99", "w" + clients, 1.2, true, tailRatio})
	}
	for _, clients := range []string{"256", "1024"} {
		all = append(all, goal{clients + " clients: processor for an operation / the best peer's",
			"w" + clients, 0.7, true, func(p pass) float64 { return p.ours(cpu) / p.least(cpu, "") }})
	}
	return append(all,
		goal{"linearizable reads, 256 clients: throughput / etcd-raft's", "reads", 1.5, false,
			opsRatio("etcd-raft")},
		goal{"reads by lease, 256 clients: throughput / hashicorp's", "lease", 1.5, false,
			opsRatio("hashicorp")},
		goal{"64 KiB values: throughput / the best peer's", "big", 1.2, false, opsRatio("")},
		goal{"SIGKILL of the leader to the first write: median / the best peer's", "failover", 1, true,
			p50Ratio("")},
		goal{"restart: time / the best peer's", "restart", 0.6, true, p50Ratio("")},
		goal{"restart: memory of a node / payload held", "restart", 2, true,
			func(p pass) float64 { return p.ours(heap) }},
	)
}

func opsRatio(family string) func(pass) float64 {
	return func(p pass) float64 {
		_, best := p.most(ops, family)
		return p.ours(ops) / best
	}
}

func p50Ratio(family string) func(pass) float64 {
	return func(p pass) float64 { return p.ours(p50) / p.least(p50, family) }
}

// tailRatio compares with the peer that had the most throughput.
func tailRatio(p pass) float64 {
	peer, _ := p.most(ops, "")
	return float64(p.figures[ours].P99) / float64(peer.P99)
}

func (p pass) ours(v value) float64 {
	f, measured := p.figures[ours]
	if !measured || f.Error != "" {
		return math.NaN()
	}
	return v(f)
}

// most returns the figure of the best peer of a family where more is better, and its value.
func (p pass) most(v value, family string) (best figure, most float64) {
	most = math.NaN()
	for name, f := range p.figures {
		if peer(name, f, family) && !(v(f) <= most) {
			best, most = f, v(f)
		}
	}
	return best, most
}

// least returns the value of the best peer of a family where less is better.
func (p pass) least(v value, family string) float64 {
	least := math.NaN()
	for name, f := range p.figures {
		if peer(name, f, family) && !(v(f) >= least) {
			least = v(f)
		}
	}
	return least
}

func peer(name string, f figure, family string) bool {
	return name != ours && f.Error == "" && strings.HasPrefix(name, family)
}

// verdict is how a goal stands.
type verdict struct {
	median float64
	agree  int // passes that meet it on their own
	of     int // passes
	met    bool
}

// judge says that a goal is met when the median of the passes meets it and four of five passes do.
func (g goal) judge(passes []pass) verdict {
	v := verdict{of: len(passes)}
	var ratios []float64
	for _, p := range passes {
		if r := g.ratio(p); !math.IsNaN(r) && !math.IsInf(r, 0) {
			ratios = append(ratios, r)
			if g.meets(r) {
				v.agree++
			}
		}
	}
	v.median = median(ratios)
	v.met = g.meets(v.median) && 5*v.agree >= 4*v.of
	return v
}

func (g goal) meets(ratio float64) bool {
	if g.atMost {
		return ratio <= g.bound
	}
	return ratio >= g.bound
}

// medianLimits takes the median of each over all passes.
func medianLimits(results []result) limits {
	var all []limits
	for _, r := range results {
		for _, p := range r.passes {
			all = append(all, p.limits)
		}
	}
	return medianOf(all)
}
