package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/suites"
)

// listing is what `mapstack list` writes as JSON. It has one list, that of the kind that was
// asked for.
type listing struct {
	Schema  string          `json:"schema"`
	Cells   []matrix.Cell   `json:"cells,omitempty"`
	Claims  []report.Claim  `json:"claims,omitempty"`
	Suites  []listedSuite   `json:"suites,omitempty"`
	Probes  []listedProbe   `json:"probes,omitempty"`
	Defects []listedDefect  `json:"defects,omitempty"`
	Arches  []listedArch    `json:"arches,omitempty"`
	Systems []osname.System `json:"systems,omitempty"`
}

// listedSuite is a group of claims.
type listedSuite struct {
	Name    string `json:"name"`
	English string `json:"en"`
	Chinese string `json:"zh"`
	Claims  int    `json:"claims"` // how many it has
}

// listedProbe is a program that runs in a target.
type listedProbe struct {
	Name string `json:"name"`
	// Risk is what it may do to a system that others use, and Reason is why.
	Risk     string   `json:"risk"`
	Reason   string   `json:"reason,omitempty"`
	Shared   bool     `json:"shared"`             // leaves nothing behind, so that others may use its guest
	Emulated bool     `json:"emulated"`           // a user-mode emulator can decide what it asks
	Variants []string `json:"variants,omitempty"` // Go runtimes that it is also built with
	Subjects []string `json:"subjects,omitempty"` // kinds of defects that it can detect
}

// listedDefect is a defect model.
type listedDefect struct {
	Name    string `json:"name"`
	English string `json:"en"`
	Chinese string `json:"zh"`
	Subject string `json:"subject"`
}

// listedArch is an architecture.
type listedArch struct {
	Name     string   `json:"name"`  // its GOARCH
	Names    []string `json:"names"` // others that --arch takes
	Machines []string `json:"machines"`
	Supplied bool     `json:"supplied"` // no archive has its kernels
	Cells    int      `json:"cells"`    // how many the matrix has
}

// kind is a kind of things that can be listed.
type kind struct {
	name string
	// fill adds the things to a listing, and returns the rows of a table of them.
	fill func(l *listing, language language.Language, cells []matrix.Cell) []table.Row
}

// kinds are the kinds besides cells, which `mapstack list` shows without a word.
func kinds() []kind {
	return []kind{{"claims", listClaims}, {"suites", listSuites}, {"probes", listProbes}, {"defects", listDefects}, {"arches", listArches}, {"systems", listSystems}}
}

// kindNames returns every word that `mapstack list` takes.
func kindNames() []string {
	names := []string{"cells"}
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// listOf shows the things of one kind.
func listOf(cmd *cobra.Command, name string, cells []matrix.Cell, asJSON bool) error {
	i := slices.IndexFunc(kinds(), func(k kind) bool { return k.name == name })
	if i < 0 {
		return fmt.Errorf("there is no list of %q; there are %s", name, strings.Join(kindNames(), ", "))
	}
	l := listing{Schema: outputSchema}
	rows := kinds()[i].fill(&l, tongue(cmd), cells)
	if asJSON {
		return writeJSON(cmd.OutOrStdout(), l)
	}
	t := columns()
	t.AppendRows(rows)
	_, err := fmt.Fprintln(cmd.OutOrStdout(), t.Render())
	return err
}

func listClaims(l *listing, in language.Language, _ []matrix.Cell) []table.Row {
	rows := []table.Row{{in.Pick("CLAIM", "断言"), in.Pick("LEVEL", "级别"), in.Pick("SUITE", "套件"), in.Pick("SENTENCE", "句子")}}
	l.Claims = suites.Claims()
	for _, c := range l.Claims {
		rows = append(rows, table.Row{c.ID, c.Level, c.Suite, in.Pick(c.English, c.Chinese)})
	}
	return rows
}

func listSuites(l *listing, in language.Language, _ []matrix.Cell) []table.Row {
	rows := []table.Row{{in.Pick("SUITE", "套件"), in.Pick("CLAIMS", "断言数"), in.Pick("ABOUT", "内容")}}
	about := suites.About()
	for _, a := range suites.All() {
		s := listedSuite{Name: a.Name, English: about[a.Name].English, Chinese: about[a.Name].Chinese, Claims: len(a.Claims)}
		l.Suites = append(l.Suites, s)
		rows = append(rows, table.Row{s.Name, s.Claims, in.Pick(s.English, s.Chinese)})
	}
	return rows
}

func listProbes(l *listing, in language.Language, _ []matrix.Cell) []table.Row {
	rows := []table.Row{{in.Pick("PROBE", "探针"), in.Pick("RISK", "风险"), in.Pick("GUEST", "客户机"), in.Pick("WHY", "原因")}}
	for _, p := range catalog.Programs() {
		listed := listedProbe{Name: p.Name, Risk: string(p.Risk.Class), Reason: p.Risk.Reason, Shared: p.Shared, Emulated: p.Emulated}
		for _, v := range p.Variants {
			listed.Variants = append(listed.Variants, string(v))
		}
		for _, s := range p.Subjects {
			listed.Subjects = append(listed.Subjects, string(s))
		}
		l.Probes = append(l.Probes, listed)
		guest := in.Pick("its own", "独用")
		if p.Shared {
			guest = in.Pick("shared", "共用")
		}
		rows = append(rows, table.Row{p.Name, p.Risk.Class, guest, p.Risk.Reason})
	}
	return rows
}

// probeNames returns the names that `mapstack probe` takes, sorted. On some architectures there
// are fewer.
func probeNames() (names []string) {
	for _, p := range catalog.Programs() {
		if p.Assembled {
			continue
		}
		names = append(names, p.Name)
		for _, v := range p.Variants {
			names = append(names, p.Name+"-"+string(v))
		}
	}
	slices.Sort(names)
	return names
}

func listDefects(l *listing, in language.Language, _ []matrix.Cell) []table.Row {
	rows := []table.Row{{in.Pick("DEFECT", "缺陷"), in.Pick("SUBJECT", "主题"), in.Pick("SENTENCE", "句子")}}
	for _, m := range defect.Models() {
		l.Defects = append(l.Defects, listedDefect{m.Name, m.English, m.Chinese, string(m.Subject)})
		rows = append(rows, table.Row{m.Name, m.Subject, in.Pick(m.English, m.Chinese)})
	}
	return rows
}

func listArches(l *listing, in language.Language, cells []matrix.Cell) []table.Row {
	rows := []table.Row{{in.Pick("ARCH", "架构"), in.Pick("OTHER NAMES", "其他名称"), in.Pick("MACHINES", "机器"), in.Pick("CELLS", "单元数"), in.Pick("KERNELS", "内核")}}
	for _, rec := range arch.All() {
		a := listedArch{Name: rec.GOARCH, Supplied: rec.Supplied}
		for _, name := range append([]string{rec.Uname, rec.Debian, rec.QEMU}, rec.Aliases...) {
			if name != "" && name != rec.GOARCH && !slices.Contains(a.Names, name) {
				a.Names = append(a.Names, name)
			}
		}
		for _, m := range rec.Machines {
			if !slices.Contains(a.Machines, m.Name) {
				a.Machines = append(a.Machines, m.Name)
			}
		}
		slices.Sort(a.Machines)
		a.Names, a.Machines = list(a.Names), list(a.Machines)
		for _, c := range cells {
			if c.Arch == rec.GOARCH {
				a.Cells++
			}
		}
		l.Arches = append(l.Arches, a)
		from := in.Pick("of an archive", "来自存档")
		if a.Supplied {
			from = in.Pick("supplied by their owner", "由持有者提供")
		}
		rows = append(rows, table.Row{a.Name, cmp.Or(strings.Join(a.Names, " "), "-"), strings.Join(a.Machines, " "), a.Cells, from})
	}
	slices.SortFunc(l.Arches, func(a, b listedArch) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(rows[1:], func(a, b table.Row) int { return strings.Compare(a[0].(string), b[0].(string)) })
	return rows
}
