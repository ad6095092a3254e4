package main

import (
	"fmt"
	"image/color"
	"math"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// panelColumns is how many panels stand beside each other.
const panelColumns = 3

// chart draws a panel for each sweep into a PNG file.
func (r scaleReport) chart(name string) error {
	columns := min(panelColumns, len(r.results))
	rows := (len(r.results) + columns - 1) / columns
	panels := make([][]*plot.Plot, rows)
	for i := range panels {
		panels[i] = make([]*plot.Plot, columns)
	}
	for i, m := range r.results {
		p, err := m.panel()
		if err != nil {
			return fmt.Errorf("the panel of %s: %w", m.sweep.name, err)
		}
		panels[i/columns][i%columns] = p
	}
	canvas := vgimg.New(vg.Length(columns)*13*vg.Centimeter, vg.Length(rows)*10*vg.Centimeter)
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: vg.Centimeter / 2, PadY: vg.Centimeter / 2,
		PadTop: vg.Centimeter / 4, PadRight: vg.Centimeter / 4, PadBottom: vg.Centimeter / 4,
		PadLeft: vg.Centimeter / 4}
	for i, line := range plot.Align(panels, tiles, draw.New(canvas)) {
		for j, place := range line {
			if p := panels[i][j]; p != nil {
				p.Draw(place)
			}
		}
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// panel draws the curves of a sweep, or bars where its settings have no place on an axis.
func (m scaled) panel() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = m.sweep.short
	p.X.Label.Text = m.sweep.axis
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	draw := m.curves
	if m.sweep.at == nil {
		draw = m.bars
	}
	return p, draw(p)
}

func (m scaled) curves(p *plot.Plot) error {
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	var ticks plot.ConstantTicks
	for _, s := range m.sweep.settings {
		ticks = append(ticks, plot.Tick{Value: m.sweep.at(s), Label: m.sweep.label(s)})
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks, decades{}
	least, most := math.Inf(1), 0.0
	number := 0
	for _, c := range m.sweep.columns {
		points := m.points(c)
		if len(points) == 0 {
			continue
		}
		for _, at := range points {
			least, most = min(least, at.Y), max(most, at.Y)
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		shade := plotutil.Color(number)
		line.Color, dots.Color, line.Width, dots.Shape = shade, shade, vg.Points(1.5), draw.CircleGlyph{}
		number++
		p.Add(line, dots)
		p.Legend.Add(c.curve, line, dots)
	}
	if number == 0 {
		return errNothingToDraw
	}
	// Room for the names of the curves, which would otherwise stand on them.
	p.Y.Min = math.Pow(10, math.Floor(math.Log10(least)))
	p.Y.Max = math.Pow(10, math.Log10(most)+float64(number)/12*(math.Log10(most/p.Y.Min)+1))
	return nil
}

// points are those of a column that can stand on logarithmic axes.
func (m scaled) points(c column) (points plotter.XYs) {
	if c.curve == "" {
		return nil
	}
	for i, s := range m.sweep.settings {
		if y := m.value(c, i); y > 0 {
			points = append(points, plotter.XY{X: m.sweep.at(s), Y: y})
		}
	}
	return points
}

func (m scaled) bars(p *plot.Plot) error {
	var drawn []column
	most := 0.0
	for _, c := range m.sweep.columns {
		if c.curve != "" {
			drawn = append(drawn, c)
		}
	}
	const width = 0.6 * vg.Centimeter
	for number, c := range drawn {
		var values plotter.Values
		for i := range m.sweep.settings {
			v := m.value(c, i)
			if math.IsNaN(v) {
				v = 0
			}
			values = append(values, v)
			most = max(most, v)
		}
		bars, err := plotter.NewBarChart(values, width)
		if err != nil {
			return err
		}
		bars.Color, bars.LineStyle.Width = plotutil.Color(number), 0
		bars.Offset = width * vg.Length(2*number-len(drawn)+1) / 2
		p.Add(bars)
		p.Legend.Add(c.curve, bars)
	}
	if most == 0 {
		return errNothingToDraw
	}
	var labels []string
	for _, s := range m.sweep.settings {
		labels = append(labels, m.sweep.label(s))
	}
	p.NominalX(labels...)
	p.Y.Label.Text = "as a multiple of when all are well"
	one := plotter.NewFunction(func(float64) float64 { return 1 })
	one.Color, one.Dashes = color.Gray{100}, plotutil.Dashes(1)
	p.Add(one)
	p.Y.Min, p.Y.Max = 0, most*1.4
	return nil
}

// decades marks 1, 2 and 5 of each power of ten where there are few of them, and the powers alone otherwise.
type decades struct{}

// Ticks returns the marks between two values.
func (decades) Ticks(from, to float64) []plot.Tick {
	ticks := roundTicks{}.Ticks(from, to)
	if to <= from*2000 {
		return ticks
	}
	for i := range ticks {
		if digits := math.Log10(ticks[i].Value); math.Abs(digits-math.Round(digits)) > 1e-6 {
			ticks[i].Label = ""
		}
	}
	return ticks
}
