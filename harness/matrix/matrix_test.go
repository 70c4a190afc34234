package matrix

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const good = `cells:
  - name: a-1
    arch: amd64
    os: Some OS
    kernel: {suite: bookworm, package: linux-image-amd64, series: "6.1"}
    pageSize: 4096
    cpus: 2
    memoryMiB: 512
`

func TestBadCellsSayFileLineAndWhatIsAllowed(t *testing.T) {
	for name, c := range map[string]struct{ from, to, line, want string }{
		"unknown field":       {"cpus: 2", "cpu: 2", "7", "cpu"},
		"wrong type":          {"cpus: 2", "cpus: many", "7", "many"},
		"bad name":            {"name: a-1", "name: A/1", "2", "a-z, 0-9, dot and dash"},
		"unknown arch":        {"arch: amd64", "arch: vax", "2", "known are alpha, amd64"},
		"alias as arch":       {"arch: amd64", "arch: x86_64", "2", "must be written amd64"},
		"unknown machine":     {"arch: amd64", "arch: mips64le", "2", "loongson3, malta"},
		"too many CPUs":       {"cpus: 2", "cpus: 99", "2", "1 to 64"},
		"odd page size":       {"pageSize: 4096", "pageSize: 4000", "2", "4096, 8192, 16384 or 65536"},
		"too little memory":   {"memoryMiB: 512", "memoryMiB: 5", "2", "128 to 16384"},
		"series as a release": {`series: "6.1"`, `series: "6.1.3"`, "2", "newest"},
		"no package":          {"package: linux-image-amd64, ", "", "2", "suite and a package"},
		"unknown tier":        {"    os: Some", "    tier: near\n    for: s390x\n    os: Some", "2", "real twin model"},
		"tier for nothing":    {"    os: Some", "    tier: twin\n    os: Some", "2", "where there is a tier"},
		"for an alias":        {"    os: Some", "    tier: twin\n    for: s390\n    os: Some", "2", "must be a GOARCH"},
		"for without a tier":  {"    os: Some", "    for: s390x\n    os: Some", "2", "left out where there is none"},
		"source as an image":  {"{suite", "{from: source, suite", "2", "must name what"},
		"config of an image":  {"{suite", "{config: [amd64], suite", "2", "must name what"},
		"config as a path":    {"{suite", "{from: source, config: [../x], suite", "2", "in fixtures without .config"},
		"supplied and known":  {"{suite", "{from: supplied, suite", "2", "must have no suite"},
		"supplied and built":  {`{suite: bookworm, package: linux-image-amd64, series: "6.1"}`, "{from: supplied, config: [x]}", "2", "must have no suite"},
		"group as a name":     {"    os: Some", "    group: a-1\n    os: Some", "2", "is the name of a cell"},
		"odd group":           {"    os: Some", "    group: A B\n    os: Some", "2", "like the name of a cell"},
		"two parameters":      {"    os: Some", "    params: [{value: a b, reason: r}]\n    os: Some", "2", "give one parameter"},
		"why a parameter":     {"    os: Some", "    params: [{value: a=b}]\n    os: Some", "2", "has no reason"},
		"no OS":               {"    os: Some OS\n", "", "2", "os is missing"},
		"no cells":            {good, "cells: []\n", "", "no cells"},
		"not YAML":            {"cells:", "cells: [", "", ""},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		_, err := Parse("cells.yaml", []byte(text))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		at := "cells.yaml:" + c.line + ":"
		if c.line == "7" { // the parser's own errors have the line in brackets
			at = "[" + c.line + ":"
		}
		if c.line != "" && !strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "cells.yaml") {
			t.Errorf("%s: %v\nwant %q and %q", name, err, at, c.want)
		}
	}
}

func TestTheSameNameTwiceIsAnError(t *testing.T) {
	second := strings.TrimPrefix(good, "cells:\n")
	_, err := Parse("cells.yaml", []byte(good+second))
	if err == nil || !strings.Contains(err.Error(), "cells.yaml:9:") || !strings.Contains(err.Error(), "used twice") {
		t.Errorf("%v", err)
	}
}

func fixture(t *testing.T) []Cell {
	t.Helper()
	data, err := os.ReadFile("../../fixtures/cells.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := Parse("fixtures/cells.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

func TestTheMatrixCoversWhatItPromises(t *testing.T) {
	cells := fixture(t)
	if len(cells) < 13 {
		t.Errorf("%d cells, at least 13 are promised", len(cells))
	}
	count := map[string]int{}
	for _, c := range cells {
		count[c.Arch]++
	}
	for arch, least := range map[string]int{"amd64": 4, "arm64": 2, "riscv64": 1, "loong64": 1, "mips64le": 2, "ppc64le": 1, "s390x": 1} {
		if count[arch] < least {
			t.Errorf("%d cells of %s, want %d", count[arch], arch, least)
		}
	}
}

func TestSelectionNarrowsByEveryField(t *testing.T) {
	cells := fixture(t)
	for _, c := range []struct {
		s    Selection
		want string
	}{
		{Selection{Arch: "loongarch64"}, "loong64-debian14-newest"},
		{Selection{Arch: "mips64el", Cell: "mips64le-debian12-6.1-malta"}, "mips64le-debian12-6.1-malta"},
		{Selection{Arch: "amd64,s390x", Kernel: "6.1"}, "amd64-debian12-6.1 amd64-debian12-6.1-settings s390x-debian12-6.1"},
		{Selection{Kernel: "5.10"}, "amd64-debian11-5.10 arm64-debian11-5.10"},
	} {
		got, err := Select(cells, c.s)
		if err != nil {
			t.Errorf("%+v: %v", c.s, err)
		}
		var names []string
		for _, cell := range got {
			names = append(names, cell.Name)
		}
		if strings.Join(names, " ") != c.want {
			t.Errorf("%+v: got %v, want %s", c.s, names, c.want)
		}
	}
}

func TestCellsWithATierRunOnlyWhenAsked(t *testing.T) {
	cells := []Cell{{Name: "plain", Arch: "amd64"}, {Name: "twin", Arch: "arm64", Tier: Twin, For: "s390x"},
		{Name: "model", Arch: "amd64", Tier: Model, For: "s390x"}, {Name: "real", Arch: "s390x", Tier: Real, For: "s390x"}}
	for _, c := range []struct {
		s    Selection
		want string
	}{
		{Selection{}, "plain"},
		{Selection{Arch: "s390x"}, "twin model real"},
		{Selection{Arch: "arm64"}, "twin"},
		{Selection{Arch: "amd64"}, "plain"}, // a model of another architecture is no answer
		{Selection{Cell: "model"}, "model"},
		{Selection{Arch: "s390x", Cell: "real"}, "real"},
	} {
		got, err := Select(cells, c.s)
		var names []string
		for _, cell := range got {
			names = append(names, cell.Name)
		}
		if err != nil || strings.Join(names, " ") != c.want {
			t.Errorf("%+v: got %v, %v; want %s", c.s, names, err, c.want)
		}
	}
}

func TestCellsWithAGroupRunOnlyWhenTheyOrTheGroupAreNamed(t *testing.T) {
	cells := []Cell{{Name: "plain", Arch: "amd64"}, {Name: "small", Arch: "amd64", Group: "lean", Kernel: Kernel{Series: "6.1"}},
		{Name: "smaller", Arch: "amd64", Group: "lean", Kernel: Kernel{Series: "5.10"}}}
	for _, c := range []struct {
		s    Selection
		want string
	}{
		{Selection{}, "plain"},
		{Selection{Arch: "amd64"}, "plain"},
		{Selection{Cell: "plain"}, "plain"},
		{Selection{Cell: "smaller"}, "smaller"},
		{Selection{Cell: "lean"}, "small smaller"},
		{Selection{Cell: "lean,plain"}, "plain small smaller"},
		{Selection{Cell: "lean", Kernel: "6.1", Arch: "amd64"}, "small"},
		{Selection{All: true}, "plain small smaller"},
	} {
		got, err := Select(cells, c.s)
		var names []string
		for _, cell := range got {
			names = append(names, cell.Name)
		}
		if err != nil || strings.Join(names, " ") != c.want {
			t.Errorf("%+v: got %v, %v; want %s", c.s, names, err, c.want)
		}
	}
	if _, err := Select(cells, Selection{Cell: "fat"}); err == nil || !strings.Contains(err.Error(), "lean, plain, small") {
		t.Errorf("an unknown group: %v", err)
	}
}

func TestTheLeanCellsAreKernelsAndSettingsOfTheirOwn(t *testing.T) {
	lean, err := Select(fixture(t), Selection{Cell: "lean"})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, c := range lean {
		if c.Kernel.From != Source && len(c.Policy)+len(c.Params) == 0 && c.Machine == "" {
			t.Errorf("cell %s is like those of the matrix", c.Name)
		}
		key := fmt.Sprint(c.Kernel, c.Machine, c.Policy, c.Params)
		if other := seen[key]; other != "" {
			t.Errorf("cells %s and %s are the same", other, c.Name)
		}
		seen[key] = c.Name
	}
}

func TestAnUnknownNameListsTheValidOnes(t *testing.T) {
	cells := fixture(t)
	for _, c := range []struct {
		s    Selection
		want string
	}{
		{Selection{Arch: "nonsense"}, "amd64, arm64, loong64, mips64le, ppc64le, riscv64, s390x"},
		{Selection{Cell: "nonsense"}, "amd64-debian11-5.10, amd64-debian12-6.1"},
		{Selection{Kernel: "2.4"}, "5.10, 6.1, 6.12, 6.16, newest"},
		{Selection{Arch: "s390x", Kernel: "5.10"}, "mapstack list"},
	} {
		got, err := Select(cells, c.s)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %d cells, error %v, want %q", c.s, len(got), err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("cells:\n - {name: [}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cells, err := Parse("f", data)
		if err == nil && len(cells) == 0 {
			t.Error("no cells and no error")
		}
	})
}
