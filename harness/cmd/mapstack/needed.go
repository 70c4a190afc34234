package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// needed is what `mapstack fetch --list` writes as JSON.
type needed struct {
	Schema string `json:"schema"`
	// Bytes is the size of all packages, MissingBytes that of those which the cache lacks.
	Bytes        int64              `json:"bytes"`
	MissingBytes int64              `json:"missingBytes"`
	Packages     []workbench.Needed `json:"packages"`
}

// listNeeded lists the packages that cells need: of the built-in matrix, and of a matrix file.
func listNeeded(cmd *cobra.Command, s selection, cells []matrix.Cell, own []subject.Listed, asJSON bool) error {
	d := s.talk.display()
	packages, err := neededBy(cmd, s.options(d.Sink), cells, own)
	d.Close()
	if err != nil {
		return err
	}
	all := needed{Schema: outputSchema, Packages: list(packages)}
	missing := 0
	for _, p := range packages {
		all.Bytes += p.Size
		if !p.Cached {
			all.MissingBytes += p.Size
			missing++
		}
	}
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), all)
	}
	pick := tongue(cmd).Pick
	t := columns()
	t.AppendRow(table.Row{pick("FOR", "用途"), pick("PACKAGE", "软件包"), pick("VERSION", "版本"), pick("SIZE", "大小"), pick("CACHE", "缓存"), "SHA-256", pick("FROM", "来源")})
	for _, p := range packages {
		there := pick("no", "没有")
		if p.Cached {
			there = pick("yes", "有")
		}
		what := pick("kernel", "内核")
		if p.What != "kernel" {
			what = pick("emulator", "模拟器")
		}
		t.AppendRow(table.Row{what, p.Package, p.Version, inUnits(p.Size), there, p.SHA256, p.From + " " + p.Filename})
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), pick("%s\nPackages: %d, %s. The cache lacks %d of them, %s.\n", "%s\n软件包：%d 个，%s。缓存中缺少 %d 个，%s。\n"),
		t.Render(), len(packages), inUnits(all.Bytes), missing, inUnits(all.MissingBytes))
	return err
}

func neededBy(cmd *cobra.Command, o workbench.Options, cells []matrix.Cell, own []subject.Listed) ([]workbench.Needed, error) {
	o.Guestless = true // packages are listed, and no guest programs
	bench, err := workbench.Open(cmd.Context(), o)
	if err != nil {
		return nil, err
	}
	needs := bench.Needs()
	if err := needs.Cells(cmd.Context(), cells); err != nil {
		return nil, err
	}
	if err := subject.Needed(cmd.Context(), bench, own, needs); err != nil {
		return nil, err
	}
	return needs.List(), nil
}
