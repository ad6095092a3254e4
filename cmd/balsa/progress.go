package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Long work says how far it is, on stderr: one line that is drawn over and over on a terminal; elsewhere a
// line for each tenth of the work, or every five seconds when a tenth takes longer.

// progress is how far one piece of work is. It is fed by one goroutine.
type progress struct {
	what  string // is being counted, in the plural
	total uint64 // 0: not known
	note  atomic.Value

	bars *mpb.Progress // nil: plain lines
	bar  *mpb.Bar

	to    io.Writer
	began time.Time
	told  time.Time // the last plain line
	tenth uint64
}

func (c *console) progress(verb, what string, total uint64) *progress {
	p := &progress{what: what, total: total, to: c.err, began: time.Now(), told: time.Now()}
	p.note.Store("")
	if !c.draws(c.err) {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(c.err), mpb.WithWidth(24), mpb.WithRefreshRate(100*time.Millisecond))
	note := decor.Any(func(decor.Statistics) string { return p.note.Load().(string) })
	if total == 0 {
		p.bar = p.bars.AddSpinner(0, mpb.PrependDecorators(decor.Name(verb+" ")),
			mpb.AppendDecorators(decor.CurrentNoUnit("%d "+what), decor.Name("  "), note))
		return p
	}
	style := mpb.BarStyle().Lbound("").Rbound("").Filler("█").Tip("█").Padding("░")
	p.bar = p.bars.New(int64(min(total, 1<<62)), style, mpb.PrependDecorators(decor.Name(verb+" ")),
		mpb.AppendDecorators(decor.Percentage(), decor.CountersNoUnit("  %d/%d "+what),
			decor.AverageSpeed(0, "  %.0f/s"), decor.Name("  eta "), decor.AverageETA(decor.ET_STYLE_GO),
			decor.Name("  "), note))
	return p
}

// at says that so much is done, and what else there is to say.
func (p *progress) at(done uint64, note string) {
	p.note.Store(note)
	if p.bars != nil {
		p.bar.SetCurrent(int64(min(done, 1<<62)))
		return
	}
	tenth, late := p.tenth, time.Since(p.told) >= 5*time.Second
	if p.total > 0 {
		tenth = done / max(p.total/10, 1)
	}
	if !late && (tenth == p.tenth || p.total < 10) {
		return
	}
	p.tenth, p.told = tenth, time.Now()
	of := ""
	if p.total > 0 {
		of = fmt.Sprintf("/%d", p.total)
	}
	rate := float64(done) / time.Since(p.began).Seconds()
	fmt.Fprintf(p.to, "%d%s %s, %.0f/s, %s\n", done, of, p.what, rate, note)
}

// end leaves the line as it is.
func (p *progress) end() {
	if p.bars != nil {
		p.bar.Abort(false)
		p.bars.Wait()
	}
}
