package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// write prints the run in Markdown: a table for each sweep.
func (r scaleReport) write(to io.Writer) {
	fmt.Fprintf(to, "`%s`\n\n", strings.TrimSpace(r.command))
	for _, line := range r.machine {
		fmt.Fprintf(to, "- %s\n", line)
	}
	fmt.Fprintf(to, "- limits of the machine in the same run, medians: %s\n", medianOf(r.limits))
	fmt.Fprintf(to, "- medians of %d passes, %g s each where it is time that is given\n", r.passes,
		r.effort.Seconds)
	for _, m := range r.results {
		m.write(to)
	}
}

func (m scaled) write(to io.Writer) {
	fmt.Fprintf(to, "\n**%s**\n\n| %s |", m.sweep.title, m.sweep.axis)
	for _, c := range m.sweep.columns {
		fmt.Fprintf(to, " %s |", c.head)
	}
	fmt.Fprintf(to, "\n|%s\n", strings.Repeat("---|", len(m.sweep.columns)+1))
	for i, s := range m.sweep.settings {
		fmt.Fprintf(to, "| %s | %s |\n", m.sweep.label(s), strings.Join(m.row(i), " | "))
	}
}

// row is what the table says of one setting: why no pass gave a figure, or a cell for each column.
func (m scaled) row(i int) (cells []string) {
	problem := ""
	for _, costs := range m.passes {
		if costs[i].Error == "" {
			problem = ""
			break
		}
		problem = costs[i].Error
	}
	if problem != "" {
		return []string{cell(problem)}
	}
	for _, c := range m.sweep.columns {
		text := "–"
		if v := m.value(c, i); !math.IsNaN(v) {
			text = c.show(v)
		}
		cells = append(cells, text)
	}
	return cells
}

// value is the median over the passes; it is not a number when none gave one.
func (m scaled) value(c column, i int) float64 {
	var values []float64
	for _, costs := range m.passes {
		if costs[i].Error != "" {
			continue
		}
		v := c.value(m.sweep.settings[i], costs[i])
		if c.first {
			if costs[0].Error != "" {
				continue
			}
			v /= c.value(m.sweep.settings[0], costs[0])
		}
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			values = append(values, v)
		}
	}
	return median(values)
}

// The forms of the numbers.

func millis(d time.Duration) float64 { return d.Seconds() * 1e3 }
func ofMillis(v float64) string      { return span(time.Duration(v * float64(time.Millisecond))) }
func micros(v float64) string        { return fmt.Sprintf("%.1f µs", v) }
func multiple(v float64) string      { return fmt.Sprintf("%.2f ×", v) }
func ofThousands(v float64) string   { return thousands(v * 1e3) }
func oneDigit(v float64) string      { return fmt.Sprintf("%.1f", v) }
func mebi(bytes float64) float64     { return bytes / (1 << 20) }
func mebibytes(v float64) string     { return fmt.Sprintf("%.1f MiB", v) }

// size prints a number of bytes that is a power of two.
func size(bytes int) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes >= 1<<10:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d B", bytes)
}
