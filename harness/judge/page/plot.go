package page

import (
	"fmt"
	"math"

	"github.com/mapstack/conformance/harness/judge/load"
)

// plot is a drawing with a row for each target. Coordinates are units of the SVG.
type plot struct {
	Width, Height int
	Ticks         []tickMark
	Rows          []plotRow
}

type tickMark struct {
	X    float64
	Text string
}

// plotRow is one target. A row of rates has a bar from Begin to At, and one of times a line
// from At to End. Low and High are the limits of a rate.
type plotRow struct {
	Middle              int // its y
	Target, Value       string
	Emulated            bool
	Begin, At, Mid, End float64
	Low, High, Width    float64
	Bounded             bool
}

// thick is the height of a bar.
const thick = 14

// Top and Bottom return the ends of a bar.
func (r plotRow) Top() int    { return r.Middle - thick/2 }
func (r plotRow) Bottom() int { return r.Middle + thick/2 }

const (
	plotWidth  = 520
	plotBegin  = 190
	plotEnd    = 430
	plotRowed  = 26
	plotHeader = 22
	// plotName is the longest name that is drawn, in characters.
	plotName = 26
)

// newPlot returns a plot with its rows placed.
func newPlot(lines []loadLine, header int) plot {
	p := plot{Width: plotWidth, Height: header + plotRowed*len(lines)}
	for i, l := range lines {
		name := []rune(l.Target)
		if len(name) > plotName {
			name = append(name[:plotName-1], '…')
		}
		p.Rows = append(p.Rows, plotRow{Middle: header + plotRowed*i + plotRowed/2, Target: string(name), Emulated: l.Emulated})
	}
	return p
}

// ratePlot draws operations per second as bars from 0, with their limits.
func ratePlot(lines []loadLine) plot {
	p := newPlot(lines, 0)
	most := 0.0
	for _, l := range lines {
		most = max(most, l.Rate.Value, l.Rate.High)
	}
	if most <= 0 {
		return p
	}
	at := func(rate float64) float64 { return plotBegin + (plotEnd-plotBegin)*rate/most }
	for i, l := range lines {
		r := &p.Rows[i]
		r.Begin, r.At, r.Value = plotBegin, at(l.Rate.Value), load.Short(l.Rate.Value)+"/s"
		r.Width = r.At - r.Begin
		r.Bounded, r.Low, r.High = l.Rate.Bounded(), at(l.Rate.Low), at(l.Rate.High)
	}
	return p
}

// timePlot draws the quantiles of the times on a logarithmic axis.
func timePlot(lines []loadLine) plot {
	p := newPlot(lines, plotHeader)
	least, most := math.Inf(1), 0.0
	for _, l := range lines {
		least, most = min(least, max(l.P50, 1)), max(most, l.P999, 10)
	}
	if len(lines) == 0 {
		return p
	}
	from, to := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	to = max(to, from+1)
	at := func(ns float64) float64 {
		return plotBegin + (plotEnd-plotBegin)*(math.Log10(max(ns, 1))-from)/(to-from)
	}
	for power := from; power <= to; power++ {
		p.Ticks = append(p.Ticks, tickMark{at(math.Pow(10, power)), powerOf(int(power))})
	}
	for i, l := range lines {
		r := &p.Rows[i]
		r.At, r.Mid, r.End = at(l.P50), at(l.P99), at(l.P999)
		r.Value = load.Nanos(l.P99)
	}
	return p
}

// powerOf writes a power of ten ns as a time.
func powerOf(n int) string {
	units := []string{"ns", "µs", "ms", "s"}
	u := min(max(n, 0)/3, len(units)-1)
	return fmt.Sprintf("%.0f %s", math.Pow(10, float64(n-3*u)), units[u])
}
