package newosproc

import (
	"fmt"
	"sort"
	"strings"

	"github.com/mapstack/conformance/poc/abi"
)

// cloneNames returns the flags that threads use (include/uapi/linux/sched.h).
func cloneNames() []abi.Const {
	return []abi.Const{
		{Name: "CLONE_VM", Value: 0x100}, {Name: "CLONE_FS", Value: 0x200}, {Name: "CLONE_FILES", Value: 0x400},
		{Name: "CLONE_SIGHAND", Value: 0x800}, {Name: "CLONE_THREAD", Value: cloneThread},
		{Name: "CLONE_SYSVSEM", Value: 0x40000}, {Name: "CLONE_SETTLS", Value: 0x80000},
		{Name: "CLONE_PARENT_SETTID", Value: 0x100000}, {Name: "CLONE_CHILD_CLEARTID", Value: 0x200000},
		{Name: "CLONE_CHILD_SETTID", Value: 0x1000000},
	}
}

// mapNames returns the flags of mmap that are a single bit.
func mapNames(m abi.Map) (flags []abi.Const) {
	for _, c := range m.Named() {
		if c.Value&(c.Value-1) == 0 && c.Name != "MAP_HUGE_SHIFT" {
			flags = append(flags, c)
		}
	}
	return flags
}

// names writes words as C does. What has no name is hexadecimal.
func names(words map[uint64]int, flags []abi.Const) string {
	var text []string
	for _, word := range sorted(words) {
		var parts []string
		for _, f := range flags {
			if f.Value != 0 && word&f.Value == f.Value {
				parts = append(parts, f.Name)
				word &^= f.Value
			}
		}
		if word != 0 || len(parts) == 0 {
			parts = append(parts, fmt.Sprintf("%#x", word))
		}
		text = append(text, strings.Join(parts, "|"))
	}
	return strings.Join(text, " ")
}

// list writes the words that were seen, sorted.
func list(words map[uint64]int) string {
	var text []string
	for _, word := range sorted(words) {
		text = append(text, fmt.Sprintf("%#x", word))
	}
	return strings.Join(text, " ")
}

func sorted(words map[uint64]int) []uint64 {
	all := make([]uint64, 0, len(words))
	for word := range words {
		all = append(all, word)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}
