package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/stage0"
)

// take gives a cell what an interrupted run has of it, and returns the probes that are left.
func (e *Engine) take(result *evidence.CellRun, probes []string) []string {
	earlier, is := e.Earlier[result.Cell.Name]
	if !is {
		return probes
	}
	result.Kernel, result.QEMU, result.Guest, result.Seconds = earlier.Kernel, earlier.QEMU, earlier.Guest, earlier.Seconds
	result.Runs = maps.Clone(earlier.Runs)
	maps.Copy(result.Transcripts, earlier.Transcripts)
	return slices.DeleteFunc(probes, func(p string) bool {
		_, ran := earlier.Runs[p]
		return ran
	})
}

// complete reports whether an interrupted run left nothing of a cell to be done. left are the
// probes that have not run. early means that stage 0 is asked too.
func complete(result evidence.CellRun, left []string, early bool) bool {
	_, spoke := result.Transcripts[stage0.Probe]
	return len(result.Runs) > 0 && len(left) == 0 && (spoke || !early)
}

// describe fills in what is known of the cell: what its place says, and otherwise what an
// interrupted run has.
func (o *Opened) describe(c *evidence.CellRun) {
	before := *c
	o.place.describe(c)
	c.Retried = append(slices.Clone(o.engine.Earlier[c.Cell.Name].Retried), c.Retried...)
	c.Kernel, c.QEMU = cmp.Or(c.Kernel, before.Kernel), cmp.Or(c.QEMU, before.QEMU)
	if c.Guest == nil && before.Guest != nil && before.QEMU != nil { // no guest has answered this time
		c.Guest, c.QEMU.Accelerator = before.Guest, before.QEMU.Accelerator
	}
}

// Same returns an error if a cell would now have another kernel, emulator or guest than the
// one that an interrupted run tested. It boots nothing.
func (e *Engine) Same(ctx context.Context, subjects []Bound) error {
	var group errgroup.Group
	group.SetLimit(2 * e.Host.Cores)
	for _, s := range subjects {
		earlier, is := e.Earlier[s.Cell.Name]
		if !is || earlier.Kernel == nil && earlier.Guest == nil {
			continue // nothing was tested
		}
		group.Go(func() error {
			now, err := s.Where.made(ctx, e, s.Cell)
			if err != nil {
				return fmt.Errorf("cell %s: it cannot be told whether it is as it was: %w", s.Cell.Name, err)
			}
			return same(earlier, now)
		})
	}
	return group.Wait()
}

// same compares what a cell was made of with what it is made of now. What the earlier run did
// not come to know is not compared.
func same(was, is evidence.CellRun) error {
	type pair struct{ what, was, is string }
	var pairs []pair
	if was.Kernel != nil && is.Kernel != nil {
		pairs = append(pairs, pair{"kernel", was.Kernel.Provenance.SHA256, is.Kernel.Provenance.SHA256},
			pair{"kernel image", was.Kernel.ImageSHA256, is.Kernel.ImageSHA256})
	}
	if was.QEMU != nil && is.QEMU != nil {
		pairs = append(pairs, pair{"emulator", was.QEMU.Build, is.QEMU.Build}, pair{"machine", was.QEMU.Machine, is.QEMU.Machine})
		if was.QEMU.Accelerator != "" {
			pairs = append(pairs, pair{"accelerator", was.QEMU.Accelerator, is.QEMU.Accelerator})
		}
		if !reflect.DeepEqual(was.QEMU.Params, is.QEMU.Params) {
			pairs = append(pairs, pair{"list of kernel parameters", fmt.Sprint(was.QEMU.Params), fmt.Sprint(is.QEMU.Params)})
		}
	}
	if was.Guest != nil && is.Guest != nil {
		pairs = append(pairs, pair{"guest image", was.Guest.Image, is.Guest.Image})
	}
	for _, p := range pairs {
		if p.was != p.is {
			return fmt.Errorf("cell %s was tested with another %s (%.80s) than it would have now (%.80s); start a new run", was.Cell.Name, p.what, p.was, p.is)
		}
	}
	return nil
}

// made returns what the guests of a cell are made of, without booting one.
func (g Guests) made(ctx context.Context, e *Engine, cell matrix.Cell) (c evidence.CellRun, err error) {
	f := &factory{engine: e, cell: cell, images: g.Images}
	if err := f.gather(ctx, g.Kernel); err != nil {
		return c, err
	}
	f.describe(&c)
	if c.QEMU == nil {
		return c, errors.New("no emulator was found")
	}
	c.QEMU.Accelerator, c.Guest = string(f.config.Accel), &evidence.Guest{Image: f.last.Image}
	return c, nil
}

// made returns an error: what happened to a running system between two runs is not known.
func (r Running) made(context.Context, *Engine, matrix.Cell) (c evidence.CellRun, err error) {
	return c, errors.New("a system that runs already is tested in one run; start a new one")
}
