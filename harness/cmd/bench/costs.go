package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// Costs holds the costs of a run of many cells.
type Costs struct {
	Cells        int     `json:"cells"`
	Runs         int     `json:"runs"` // of probes
	Seconds      float64 `json:"seconds"`
	ColdSeconds  float64 `json:"coldSeconds"`  // of the same run with an empty cache; 0 if it was not measured
	GuestSeconds float64 `json:"guestSeconds"` // of CPU, in the guests of the probe runs
	RunSeconds   float64 `json:"runSeconds"`   // of CPU, in the run's own process
	MeanMiB      float64 `json:"meanMiB"`      // of the largest resident memory of each guest
	MostMiB      float64 `json:"mostMiB"`      // the largest resident memory of any guest
	RunMiB       float64 `json:"runMiB"`       // the largest resident memory of the run's own process
	// Probes and ByCell hold seconds of CPU in guests: the mean of the cells by probe, and
	// the sum of the probes by cell.
	Probes map[string]float64 `json:"probes"`
	ByCell map[string]float64 `json:"byCell"`
	// Images holds the sizes of the guest images in MiB, by GOARCH.
	Images map[string]float64 `json:"images"`
}

// costs reads the costs from a run's evidence.
func costs(folder string) (*Costs, error) {
	r, cells, err := evidence.Load(folder)
	if err != nil {
		return nil, err
	}
	c := &Costs{Cells: len(cells), Seconds: r.Finished.Sub(r.Started).Seconds(), RunSeconds: r.CPUSeconds, RunMiB: mib(r.ResidentBytes),
		Probes: map[string]float64{}, ByCell: map[string]float64{}, Images: map[string]float64{}}
	ran := map[string]float64{}
	for _, cell := range cells {
		for probe, run := range cell.Runs {
			if run.Guest == "" || run.Guest == evidence.Saved {
				continue // it cost nothing in this run
			}
			c.Runs++
			c.GuestSeconds += run.CPUSeconds
			c.MeanMiB += mib(run.ResidentBytes)
			c.MostMiB = max(c.MostMiB, mib(run.ResidentBytes))
			ran[probe]++
			c.Probes[probe] += run.CPUSeconds
			c.ByCell[cell.Cell.Name] += run.CPUSeconds
		}
	}
	if c.Runs == 0 {
		return nil, fmt.Errorf("the evidence in %s has no probe run", folder)
	}
	c.MeanMiB /= float64(c.Runs)
	for probe := range c.Probes {
		c.Probes[probe] /= ran[probe]
	}
	return c, nil
}

// measureImages fills in the sizes of the guest images of the architectures.
func (c *Costs) measureImages(ctx context.Context, bench *workbench.Bench, goarches []string) error {
	for _, goarch := range goarches {
		rec, err := arch.Lookup(goarch)
		if err != nil {
			return err
		}
		image, err := bench.Guests.Image(ctx, rec)
		if err != nil {
			return err
		}
		info, err := os.Stat(image.Path)
		if err != nil {
			return err
		}
		c.Images[goarch] = mib(info.Size())
	}
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (c *Costs) markdown() string {
	var b strings.Builder
	share := c.RunSeconds / (c.RunSeconds + c.GuestSeconds)
	fmt.Fprintf(&b, "A run of %d cells, %d probe runs: %.1f s (at most 150; 90 is the goal); %.0f s of CPU in the guests, %.1f s in the\n"+
		"run's own process, which is %.1f %% (at most 5). A guest had %.0f MiB resident on average (at most 400), %.0f at most;\n"+
		"the run's process %.0f MiB (at most 150).\n",
		c.Cells, c.Runs, c.Seconds, c.GuestSeconds, c.RunSeconds, 100*share, c.MeanMiB, c.MostMiB, c.RunMiB)
	if c.ColdSeconds > 0 {
		fmt.Fprintf(&b, "The same run with an empty cache took %.1f s, downloads included.\n", c.ColdSeconds)
	}
	fmt.Fprintf(&b, "\nSeconds of CPU in the guests of a cell: %.1f on average (at most 10).\n\n| cell | seconds |\n|---|---|\n",
		c.GuestSeconds/float64(max(1, len(c.ByCell))))
	rows(&b, c.ByCell)
	b.WriteString("\nSeconds of CPU of a probe run, on average. The first probe in a guest bears the restore.\n\n| probe | seconds |\n|---|---|\n")
	rows(&b, c.Probes)
	b.WriteString("\nMiB of a guest image (at most 20).\n\n| architecture | MiB |\n|---|---|\n")
	rows(&b, c.Images)
	return b.String()
}

// rows writes a row for each entry, the largest first.
func rows(b *strings.Builder, of map[string]float64) {
	names := slices.SortedFunc(maps.Keys(of), func(x, y string) int {
		return cmp.Or(cmp.Compare(of[y], of[x]), cmp.Compare(x, y))
	})
	for _, n := range names {
		fmt.Fprintf(b, "| %s | %.1f |\n", n, of[n])
	}
}
