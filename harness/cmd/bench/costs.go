package main

import (
	"fmt"

	"github.com/mapstack/conformance/harness/judge/evidence"
)

// Costs holds the costs of a run of many cells.
type Costs struct {
	Cells        int     `json:"cells"`
	Runs         int     `json:"runs"` // of probes
	Seconds      float64 `json:"seconds"`
	GuestSeconds float64 `json:"guestSeconds"` // of CPU, in the guests of the probe runs
	RunSeconds   float64 `json:"runSeconds"`   // of CPU, in the run's own process
	MeanMiB      float64 `json:"meanMiB"`      // of the largest resident memory of each guest
	MostMiB      float64 `json:"mostMiB"`      // the largest resident memory of any guest
	RunMiB       float64 `json:"runMiB"`       // the largest resident memory of the run's own process
}

// costs reads the costs from a run's evidence.
func costs(folder string) (*Costs, error) {
	r, cells, err := evidence.Load(folder)
	if err != nil {
		return nil, err
	}
	c := &Costs{Cells: len(cells), Seconds: r.Finished.Sub(r.Started).Seconds(), RunSeconds: r.CPUSeconds, RunMiB: mib(r.ResidentBytes)}
	for _, cell := range cells {
		for _, run := range cell.Runs {
			c.Runs++
			c.GuestSeconds += run.CPUSeconds
			c.MeanMiB += mib(run.ResidentBytes)
			c.MostMiB = max(c.MostMiB, mib(run.ResidentBytes))
		}
	}
	if c.Runs == 0 {
		return nil, fmt.Errorf("the evidence in %s has no probe run", folder)
	}
	c.MeanMiB /= float64(c.Runs)
	return c, nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (c *Costs) markdown() string {
	share := c.RunSeconds / (c.RunSeconds + c.GuestSeconds)
	return fmt.Sprintf("A run of %d cells, %d probe runs: %.1f s (at most 90 are asked for); %.0f s of CPU in the guests, %.1f s in the\n"+
		"run's own process, which is %.1f %% (at most 5). A guest had %.0f MiB resident on average (at most 400), %.0f at most;\n"+
		"the run's process %.0f MiB (at most 150).\n",
		c.Cells, c.Runs, c.Seconds, c.GuestSeconds, c.RunSeconds, 100*share, c.MeanMiB, c.MostMiB, c.RunMiB)
}
