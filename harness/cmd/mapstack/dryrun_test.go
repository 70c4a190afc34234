package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/suites"
)

// TestAPlanIsWhatARunWouldDo fails if a plan leaves out a cell or a probe. Offline, the lock
// names the kernels.
func TestAPlanIsWhatARunWouldDo(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	const names = "amd64-debian12-6.1,s390x-debian12-6.1,amd64-debian12-6.1-settings,sw64"
	p, err := readPlan(t, "--cell", names, "--focus", "mmapabi,limits,stage0")
	if err != nil || p.Schema != outputSchema || len(p.Cells) != 4 || p.Shard != "" {
		t.Fatalf("%v, %+v", err, p)
	}
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Select(all, matrix.Selection{Cell: names})
	if err != nil {
		t.Fatal(err)
	}
	probes, err := suites.Probes(cells, "mmapabi,limits,stage0")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Cells {
		var inGuests []string
		for _, g := range c.Guests {
			inGuests = append(inGuests, g...)
		}
		want := slices.DeleteFunc(slices.Clone(probes[c.Cell]), func(p string) bool { return p == stage0.Probe })
		slices.Sort(inGuests)
		slices.Sort(want)
		if !slices.Equal(c.Probes, probes[c.Cell]) || !slices.Equal(inGuests, want) || len(want) == 0 {
			t.Errorf("%+v, want %v", c, probes[c.Cell])
		}
		if c.Cell == "sw64" {
			if c.Kernel != "" || !strings.Contains(c.Problem, "SW64_KERNEL") {
				t.Errorf("%+v", c)
			}
		} else if !strings.HasPrefix(c.Kernel, "linux-image-6.1") || c.Problem != "" {
			t.Errorf("%+v", c)
		}
	}
	part, err := readPlan(t, "--cell", names, "--shard", "2/4")
	if err != nil || len(part.Cells) != 1 || part.Shard != "2/4" {
		t.Errorf("%v, %+v", err, part)
	}
	shown, err := execute(t, "run", "--dry-run", "--offline", "--cell", names, "--shard", "1/2", "--lang", "zh")
	if err != nil || !strings.Contains(shown, "分片 1/2，共 4 个单元") || !strings.Contains(shown, "没有启动任何东西") {
		t.Errorf("%v\n%s", err, shown)
	}
}

func readPlan(t *testing.T, args ...string) (planned, error) {
	t.Helper()
	return readAs[planned](t, append([]string{"run", "--dry-run", "--offline", "-o", "json"}, args...)...)
}
