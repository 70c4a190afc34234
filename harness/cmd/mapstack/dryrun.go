package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/suites"
)

// planned is what a run would do.
type planned struct {
	Schema string        `json:"schema"`
	Shard  string        `json:"shard,omitempty"` // "1/4"
	Cells  []plannedCell `json:"cells"`
}

// plannedCell is what a run would do on a cell.
type plannedCell struct {
	Cell string `json:"cell"`
	Arch string `json:"arch"`
	// Kernel is the package with its version, or a file. Problem says why the run would not
	// get one.
	Kernel    string `json:"kernel,omitempty"`
	Problem   string `json:"problem,omitempty"`
	CPUs      int    `json:"cpus"`
	MemoryMiB int    `json:"memoryMiB"`
	// Probes are those that would run, Guests the same by the guests in which they would.
	Probes []string   `json:"probes"`
	Guests [][]string `json:"guests"`
}

// plan shows what the run would do. It boots nothing.
func (f *runFlags) plan(cmd *cobra.Command) error {
	if f.running.Target != "" || f.fullBoot {
		return errors.New("--dry-run plans guests, and a running system or a full boot has none; leave it out")
	}
	asJSON, err := f.output.json()
	if err != nil {
		return err
	}
	p, err := f.planned(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), p)
	}
	pick := tongue(cmd).Pick
	t := columns()
	t.AppendRow(table.Row{pick("CELL", "单元"), pick("KERNEL", "内核"), pick("MEMORY", "内存"), pick("PROBES", "探针"), pick("GUESTS", "客户机")})
	guests, problems := 0, ""
	for _, c := range p.Cells {
		kernel := c.Kernel
		if c.Problem != "" {
			kernel = pick("none; see below", "没有；见下文")
			problems += fmt.Sprintf("%s: %s\n", c.Cell, c.Problem)
		}
		t.AppendRow(table.Row{c.Cell, kernel, fmt.Sprintf("%d MiB", c.MemoryMiB), len(c.Probes), len(c.Guests)})
		guests += len(c.Guests)
	}
	fmt.Fprintln(cmd.OutOrStdout(), t.Render())
	fmt.Fprint(cmd.OutOrStdout(), problems)
	if p.Shard != "" {
		fmt.Fprintf(cmd.OutOrStdout(), pick("Shard %s of %d cells.\n", "分片 %s，共 %d 个单元。\n"), p.Shard, len(f.part.Cells))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), pick("Nothing was booted. Cells: %d, guests: %d.\n", "没有启动任何东西。单元：%d 个，客户机：%d 个。\n"), len(p.Cells), guests)
	return err
}

// planned finds out what the run would do.
func (f *runFlags) planned(ctx context.Context) (p planned, err error) {
	chosen, err := f.subjects()
	if err != nil {
		return p, err
	}
	subjects, err := f.share(chosen.subjects)
	if err != nil {
		return p, err
	}
	if len(subject.Waves(subjects)) > 1 {
		return p, errors.New("--dry-run plans guests, and the matrix file has systems that run already or are booted whole; name other cells with --cell")
	}
	d := f.talk.display()
	defer d.Close()
	o, err := f.options(d.Sink)
	if err != nil {
		return p, err
	}
	o.Guestless = true
	bench, err := workbench.Open(ctx, o)
	if err != nil {
		return p, err
	}
	bound, err := subject.Bind(ctx, bench, subjects)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, bound.Release()) }()
	probes, err := suites.Probes(bound.Cells(), f.focus)
	if err != nil {
		return p, err
	}
	probes = f.rest(probes)
	p.Schema = outputSchema
	if f.part != nil {
		p.Shard = f.part.String()
	}
	for i, cell := range bound.Cells() {
		c := plannedCell{Cell: cell.Name, Arch: cell.Arch, CPUs: cell.CPUs, MemoryMiB: cell.Memory,
			Probes: list(probes[cell.Name]), Guests: list(run.Planned(cell, probes[cell.Name], f.isolate))}
		if absent, is := bound[i].Where.(run.Absent); is {
			c.Problem = absent.Err.Error()
		} else if c.Kernel, err = f.kernelOf(ctx, bench, subjects[i], cell); err != nil {
			c.Problem = err.Error()
		}
		p.Cells = append(p.Cells, c)
	}
	return p, nil
}

// kernelOf returns which kernel a cell would have. It reads at most the index of an archive.
func (f *runFlags) kernelOf(ctx context.Context, bench *workbench.Bench, s subject.Subject, cell matrix.Cell) (string, error) {
	if l, is := s.(subject.Listed); is {
		if found, _, ok, err := l.Found(ctx, bench); ok {
			return strings.TrimSpace(found.Image.Name + " " + found.Image.Version), err
		}
	}
	switch cell.Kernel.From {
	case matrix.Given:
		return cmp.Or(strings.TrimSpace(f.file()+" "+f.image), "as the matrix file says"), nil
	case matrix.Supplied:
		rec, err := arch.Lookup(cell.Arch)
		if err != nil {
			return "", err
		}
		parts, err := bench.Parts(rec, false)
		return parts.Kernel, err
	}
	pin, err := bench.Kernels.Resolve(ctx, cell)
	return strings.TrimSpace(pin.Image.Package + " " + pin.Image.Version), err
}
