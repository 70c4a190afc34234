package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
	"github.com/mapstack/conformance/harness/matrix/osname"
)

// listShort says what `mapstack list` is.
const listShort = "Show the cells, or claims, suites, probes, defects, arches or systems"

func listCommand() *cobra.Command {
	var s selection
	var form output
	cmd := &cobra.Command{
		Use: "list [KIND]", Short: listShort, Args: cobra.MaximumNArgs(1), ValidArgs: kindNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			s.All = true
			w, l := cmd.OutOrStdout(), tongue(cmd)
			if s.os != "" {
				products, err := osname.Products(s.os)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(w, listing{Schema: outputSchema, Systems: products})
				}
				return listProducts(w, l, products, true)
			}
			c, err := s.chosen()
			if err != nil {
				return err
			}
			if len(args) == 1 && args[0] != "cells" {
				return listOf(cmd, args[0], c.cells, asJSON)
			}
			if asJSON {
				return writeJSON(w, listing{Schema: outputSchema, Cells: c.cells})
			}
			c.announce(cmd)
			if err := listCells(w, l, c.cells); err != nil || s.Arch+s.Cell+s.Kernel != "" || len(args) == 1 {
				return err
			}
			fmt.Fprint(w, l.Pick("\nOperating systems, whose images you supply; mapstack run --os NAME runs them, list --os NAME says more:\n\n",
				"\n操作系统，其镜像由您提供；mapstack run --os 名称 运行它们，list --os 名称 显示更多：\n\n"))
			return listProducts(w, l, osname.Systems(), false)
		},
	}
	s.flags(cmd)
	s.matrixFlag(cmd)
	form.flags(cmd)
	cmd.Flags().StringVar(&s.os, "os", "", "show what is known of the products of this operating system, such as kylin or uos, or of one product")
	return cmd
}

// listCells writes a table of cells. What only a file or a machine itself can say is a dash.
func listCells(w io.Writer, l language.Language, cells []matrix.Cell) error {
	pick := l.Pick
	t := columns()
	t.AppendRow(table.Row{pick("CELL", "单元"), pick("ARCH", "架构"), pick("KERNEL", "内核"), pick("PAGE", "页"), "CPU",
		pick("MEMORY", "内存"), pick("TIER OR GROUP", "层级或分组"), pick("OS", "系统")})
	number := func(n int, unit string) string {
		if n == 0 {
			return "-"
		}
		return fmt.Sprint(n) + unit
	}
	unsaid := map[string]string{matrixfile.AsTheFileSays: pick(matrixfile.AsTheFileSays, "以文件所示为准"), matrixfile.AsItRuns: pick(matrixfile.AsItRuns, "以其运行状态为准")}
	for _, c := range cells {
		c.OS = cmp.Or(unsaid[c.OS], c.OS)
		t.AppendRow(table.Row{c.Name, cmp.Or(c.Arch, "-"), cmp.Or(c.Kernel.Series, string(c.Kernel.From), string(c.Host)), number(c.PageSize>>10, "k"), number(c.CPUs, ""),
			number(c.Memory, " MiB"), cmp.Or(strings.TrimPrefix(c.For+" "+string(c.Tier), " "), c.Group, "-"), c.OS})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// listProducts writes a table of products of operating systems, and with more what misleads a
// tester of each.
func listProducts(w io.Writer, l language.Language, products []osname.System, more bool) error {
	pick := l.Pick
	t := columns()
	t.AppendRows(productRows(l, products))
	if _, err := fmt.Fprintln(w, t.Render()); err != nil || !more {
		return err
	}
	for _, p := range products {
		fmt.Fprintf(w, "\n%s: %s\n", p.ID, p.Title())
		if p.Release != "" {
			fmt.Fprintf(w, "    os-release: ID=%s VERSION_ID=%s\n", p.Release, p.Version)
		}
		if p.Base != "" {
			fmt.Fprintf(w, pick("    made of %s\n", "    基于 %s\n"), p.Base)
		}
		for _, trap := range p.Traps {
			fmt.Fprintf(w, pick("    note: %s\n", "    注意：%s\n"), pick(trap.English, trap.Chinese))
		}
	}
	return nil
}

// productRows returns the rows of a table of products, with their titles.
func productRows(l language.Language, products []osname.System) []table.Row {
	pick := l.Pick
	rows := []table.Row{{pick("NAME", "名称"), pick("KERNEL", "内核"), pick("PACKAGES", "软件包"), pick("IMAGE IN", "镜像变量"), pick("OS", "系统")}}
	for _, p := range products {
		supplied := p.Variable()
		if os.Getenv(supplied) != "" {
			supplied += pick(" (set)", "（已设置）")
		}
		rows = append(rows, table.Row{p.ID, cmp.Or(strings.Join(p.Kernels, " "), "-"), cmp.Or(p.Packages, "-"), supplied, pick(p.English, p.Chinese)})
	}
	return rows
}

func listSystems(l *listing, in language.Language, _ []matrix.Cell) []table.Row {
	l.Systems = osname.Systems()
	return productRows(in, l.Systems)
}
