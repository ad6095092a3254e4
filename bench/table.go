package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// report is a run.
type report struct {
	command string
	machine []string // what ran it, line by line
	passes  int
	effort  effort
	systems []system
	results []result
}

// write prints the run in Markdown.
func (r report) write(to io.Writer) {
	fmt.Fprintf(to, "`%s`\n\n", strings.TrimSpace(r.command))
	for _, line := range r.machine {
		fmt.Fprintf(to, "- %s\n", line)
	}
	for _, s := range r.systems {
		fmt.Fprintf(to, "- %s: %s\n", s.name, versions(s))
	}
	fmt.Fprintf(to, "- limits of the machine in the same run, medians: %s\n", medianLimits(r.results))
	fmt.Fprintf(to, "- medians of %d passes, systems in turn, %g s each\n", r.passes, r.effort.Seconds)
	r.glance(to)
	for _, measured := range r.results {
		r.detail(to, measured)
	}
	r.verdicts(to)
}

// glance prints one row for each system: throughput and median latency.
func (r report) glance(to io.Writer) {
	head, line := "\n| ops/s (p50) |", "|---|"
	for _, m := range r.results {
		if m.workload.kind <= leaseReads {
			head, line = head+" "+m.workload.title+" |", line+"---|"
		}
	}
	if line == "|---|" {
		return
	}
	fmt.Fprintf(to, "%s\n%s\n", head, line)
	for _, s := range r.systems {
		fmt.Fprintf(to, "| %s |", s.name)
		for _, m := range r.results {
			if m.workload.kind <= leaseReads {
				fmt.Fprintf(to, " %s |", m.workload.brief(m.median(s.name)))
			}
		}
		fmt.Fprintln(to)
	}
}

func (m result) median(system string) figure {
	var figures []figure
	for _, p := range m.passes {
		if f, measured := p.figures[system]; measured {
			figures = append(figures, f)
		}
	}
	if figures == nil {
		return figure{Error: "–"}
	}
	return medianFigure(figures)
}

// brief is a figure in a few words.
func (w workload) brief(f figure) string {
	switch {
	case f.Error != "":
		return cell(f.Error)
	case w.kind == restart:
		return fmt.Sprintf("%s, memory %.2f × the payload", span(f.P50), f.Heap)
	case w.kind == failover:
		return span(f.P50)
	}
	return fmt.Sprintf("%s (%s)", thousands(f.Ops), span(f.P50))
}

// cell makes a text fit into a table.
func cell(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "|", "/")), " ")
	if runes := []rune(text); len(runes) > 120 {
		text = string(runes[:120]) + "…"
	}
	return text
}

// detail prints all that was measured of one workload. Ratios are medians of the ratios of the passes.
func (r report) detail(to io.Writer, m result) {
	fmt.Fprintf(to, "\n**%s**\n\n", m.workload.heading(r.effort))
	switch m.workload.kind {
	case restart:
		fmt.Fprint(to, "| | time | of the best peer | memory / payload |\n|---|---|---|---|\n")
	case failover:
		fmt.Fprint(to, "| | median | slowest | of the best peer |\n|---|---|---|---|\n")
	default:
		fmt.Fprint(to, "| | ops/s | of the best peer | p50 | of the limit | p99 | p99.9 | CPU µs/op | "+
			"allocations/op | bytes/op | failed |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, s := range r.systems {
		if m.workload.suits(s) {
			fmt.Fprintf(to, "| %s | %s |\n", s.name, strings.Join(m.row(s.name), " | "))
		}
	}
}

func (w workload) heading(e effort) string {
	switch w.kind {
	case restart:
		return fmt.Sprintf("restart with %s entries of 128 bytes and no snapshot: from open until the "+
			"leader has applied all", thousands(float64(e.Entries)))
	case failover:
		return fmt.Sprintf("%s, %d kills in each pass", w.title, e.Kills)
	}
	return w.title
}

func (m result) row(system string) []string {
	f := m.median(system)
	if f.Error != "" {
		return []string{cell(f.Error)}
	}
	switch m.workload.kind {
	case restart:
		return []string{span(f.P50), m.versus(system, p50), fmt.Sprintf("%.2f", f.Heap)}
	case failover:
		return []string{span(f.P50), span(f.P999), m.versus(system, p50)}
	}
	limit := "–"
	if m.workload.kind == writes {
		limit = times(m.ratios(func(p pass) float64 {
			return float64(p.figures[system].P50) / float64(p.limits.lone())
		}))
	}
	return []string{thousands(f.Ops), m.versus(system, ops), span(f.P50), limit, span(f.P99), span(f.P999),
		fmt.Sprintf("%.1f", f.CPU), fmt.Sprintf("%.1f", f.Allocs), thousands(f.Bytes), strconv.Itoa(f.Failed)}
}

// versus is how a system does as a multiple of the best peer in the same pass: of all but balsa.
func (m result) versus(system string, v value) string {
	return times(m.ratios(func(p pass) float64 {
		best := p.least(v, "")
		if m.workload.kind <= leaseReads {
			_, best = p.most(v, "")
		}
		return v(p.figures[system]) / best
	}))
}

func (m result) ratios(of func(pass) float64) (ratios []float64) {
	for _, p := range m.passes {
		if r := of(p); !math.IsNaN(r) && !math.IsInf(r, 0) {
			ratios = append(ratios, r)
		}
	}
	return ratios
}

// verdicts prints how the goals stand of which there are figures.
func (r report) verdicts(to io.Writer) {
	if !r.measures(ours) {
		return
	}
	fmt.Fprint(to, "\n**Goals** (ratios within a pass, their median; met when it meets the bound and four "+
		"of five passes do)\n\n| | bound | median | passes | |\n|---|---|---|---|---|\n")
	for _, g := range goals() {
		for _, m := range r.results {
			if m.workload.name != g.workload {
				continue
			}
			v := g.judge(m.passes)
			word, sign := "missed", "≥"
			if g.atMost {
				sign = "≤"
			}
			switch {
			case math.IsNaN(v.median):
				word = "unknown"
			case v.met:
				word = "met"
			}
			fmt.Fprintf(to, "| %s | %s %g | %s | %d of %d | %s |\n", g.text, sign, g.bound,
				times([]float64{v.median}), v.agree, v.of, word)
		}
	}
}

func (r report) measures(system string) bool {
	for _, s := range r.systems {
		if s.name == system {
			return true
		}
	}
	return false
}

// times prints the median of ratios.
func times(ratios []float64) string {
	if m := median(ratios); !math.IsNaN(m) {
		return fmt.Sprintf("%.2f ×", m)
	}
	return "–"
}

// span prints a duration with three digits or so.
func span(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1e3)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// thousands prints a number without its fraction, in groups of three digits.
func thousands(v float64) string {
	digits := strconv.FormatInt(int64(math.Round(v)), 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
