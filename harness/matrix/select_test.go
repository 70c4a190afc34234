package matrix

import (
	"strings"
	"testing"
)

// TestPatternsAndWhatIsSkipped fails if a pattern selects cells that run only when something
// asks for them, if such cells cannot be skipped, or if a word that matches nothing is ignored.
func TestPatternsAndWhatIsSkipped(t *testing.T) {
	series := func(s string) Kernel { return Kernel{Series: s} }
	cells := []Cell{
		{Name: "amd64-6.1", Arch: "amd64", Kernel: series("6.1")},
		{Name: "amd64-5.10", Arch: "amd64", Kernel: series("5.10")},
		{Name: "arm64-6.1", Arch: "arm64", Kernel: series("6.1")},
		{Name: "amd64-lean-6.1", Arch: "amd64", Kernel: series("6.1"), Group: "lean"},
		{Name: "sw64-real", Arch: "sw64", For: "sw64", Tier: Real, Kernel: series("6.6")},
	}
	for _, c := range []struct {
		s    Selection
		want string
	}{
		{Selection{Cell: "amd64-*"}, "amd64-6.1 amd64-5.10"},
		{Selection{Cell: "amd64-lean-*"}, "amd64-lean-6.1"},
		{Selection{Cell: "amd64-5.10,arm64-?.1"}, "amd64-5.10 arm64-6.1"},
		{Selection{Cell: "*"}, "amd64-6.1 amd64-5.10 arm64-6.1"},
		{Selection{Cell: "*-real"}, "sw64-real"},
		{Selection{Kernel: "6.*"}, "amd64-6.1 arm64-6.1"},
		{Selection{Skip: "amd64-*"}, "arm64-6.1"},
		{Selection{Cell: "lean,arm64-6.1", Skip: "amd64-*"}, "arm64-6.1"},
		{Selection{Cell: "lean,arm64-6.1", Skip: "lean"}, "arm64-6.1"},
	} {
		got, err := Select(cells, c.s)
		if err != nil {
			t.Errorf("%+v: %v", c.s, err)
		}
		var names []string
		for _, cell := range got {
			names = append(names, cell.Name)
		}
		if all := strings.Join(names, " "); all != c.want {
			t.Errorf("%+v: %s, want %s", c.s, all, c.want)
		}
	}
	for s, want := range map[Selection]string{
		{Cell: "mips*"}: "amd64-6.1", {Skip: "mips"}: "amd64-6.1", {Cell: "[a"}: "close its bracket", {Skip: "*"}: `without "*"`,
	} {
		if _, err := Select(cells, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
}
