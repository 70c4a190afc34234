package overview

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestKernelsStandWhereTheyBelongInAnyOrder fails if a kernel is lost or is in another row or column,
// or if the order in which kernels are given shows.
func TestKernelsStandWhereTheyBelongInAnyOrder(t *testing.T) {
	all := []Place{
		{"UOS", "arm64", "5.10.0-2", "b"}, {"UOS", "arm64", "5.10.0-2", "a"}, {"UOS", "amd64", "4.19.90", "c"}, {"UOS", "arm64", "", "none"},
		{"Kylin", "arm64", "10.1.2", "k"}, {"Kylin", "amd64", "9.9.9", "j"}, {"Kylin", "arm64", "5.10.0", "l"},
	}
	const want = `amd64 arm64
Kylin 5.10 [] [l]
Kylin 9.9 [j] []
Kylin 10.1 [] [k]
UOS - [] [none]
UOS 4.19 [c] []
UOS 5.10 [] [a b]
`
	for range 2 {
		table := Of(all, func(p Place) Place { return p })
		var b strings.Builder
		fmt.Fprintln(&b, strings.Join(table.Architectures, " "))
		for _, r := range table.Rows {
			fmt.Fprintf(&b, "%s %s", r.System, r.Series)
			for _, column := range r.Kernels {
				names := []string{}
				for _, k := range column {
					names = append(names, k.Cell)
				}
				fmt.Fprintf(&b, " %v", names)
			}
			fmt.Fprintln(&b)
		}
		if b.String() != want || len(table.Kernels) != len(all) || table.Kernels[0].Cell != "l" {
			t.Errorf("%v\n%s\nwant\n%s", table.Kernels, b.String(), want)
		}
		slices.Reverse(all)
	}
	if empty := Of(nil, func(p Place) Place { return p }); len(empty.Rows)+len(empty.Architectures)+len(empty.Kernels) != 0 {
		t.Errorf("%+v", empty)
	}
}
