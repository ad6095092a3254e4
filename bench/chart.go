package main

import (
	"fmt"
	"image/color"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// point is what a number of clients got.
type point struct {
	clients int
	ops     float64
	latency time.Duration
}

// curve returns what a system reached with writes of 128 bytes, by the number of clients.
func (r report) curve(system string) (points []point) {
	for _, m := range r.results {
		if m.workload.kind != writes || m.workload.bytes != 128 {
			continue
		}
		if f := m.median(system); f.Error == "" {
			points = append(points, point{m.workload.clients, f.Ops, f.P50})
		}
	}
	return points
}

// chart draws throughput against latency, one curve for each system, into a PNG file.
func (r report) chart(name string) error {
	p := plot.New()
	p.Title.Text = "Writes of 128 bytes, three nodes, every sync in force; the numbers are clients"
	p.X.Label.Text = "acknowledged writes in a second"
	p.Y.Label.Text = "median latency, ms"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = roundTicks{}, roundTicks{}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	drawn := 0
	for i, s := range r.systems {
		points := r.curve(s.name)
		if len(points) == 0 {
			continue
		}
		if err := addCurve(p, s.name, points, plotutil.Color(i), i); err != nil {
			return err
		}
		drawn++
	}
	if drawn == 0 {
		return fmt.Errorf("no writes of 128 bytes were measured, so there is nothing to draw in %s", name)
	}
	return p.Save(24*vg.Centimeter, 16*vg.Centimeter, name)
}

func addCurve(p *plot.Plot, name string, points []point, shade color.Color, number int) error {
	xy := make(plotter.XYs, len(points))
	labels := make([]string, len(points))
	for i, at := range points {
		xy[i].X, xy[i].Y = at.ops, at.latency.Seconds()*1e3
		labels[i] = " " + strconv.Itoa(at.clients)
	}
	line, dots, err := plotter.NewLinePoints(xy)
	if err != nil {
		return err
	}
	line.Color, dots.Color, dots.Shape = shade, shade, draw.CircleGlyph{}
	line.Width = vg.Points(1)
	if name == ours {
		line.Width, line.Color, dots.Color = vg.Points(2.5), color.Black, color.Black
	}
	line.Dashes = plotutil.Dashes(number / 7)
	words, err := plotter.NewLabels(plotter.XYLabels{XYs: xy, Labels: labels})
	if err != nil {
		return err
	}
	for i := range words.TextStyle {
		words.TextStyle[i].Color, words.TextStyle[i].Font.Size = shade, vg.Points(8)
	}
	p.Add(line, dots, words)
	p.Legend.Add(name, line, dots)
	return nil
}

// roundTicks marks 1, 2 and 5 of each power of ten.
type roundTicks struct{}

// Ticks returns the marks between two values.
func (roundTicks) Ticks(from, to float64) (ticks []plot.Tick) {
	for power := 1e-3; power <= to; power *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			if v := digit * power; v >= from && v <= to {
				ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.9g", v)})
			}
		}
	}
	return ticks
}
