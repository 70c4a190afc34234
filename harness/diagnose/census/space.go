package census

import "strings"

// Space is the address space of the program; amounts of memory are bytes.
type Space struct {
	Limit     Limit  `json:"rlimitAS"`
	Size      Amount `json:"vmSize"`
	DataLimit Limit  `json:"rlimitData"`
	Data      Amount `json:"vmData"`
	// Stack is RLIMIT_STACK. C libraries take its soft value for the size of the
	// stack of a new thread.
	Stack Limit `json:"rlimitStack"`
	// MaxMappings is vm.max_map_count, Mappings is how many there are.
	MaxMappings Amount `json:"maxMapCount"`
	Mappings    Amount `json:"maps"`
}

func (r reader) space(s status) Space {
	return Space{
		Limit:       r.limit("Max address space", "rlimitAS"),
		Size:        kib(r.inStatus(s, "VmSize", "vmSize")),
		DataLimit:   r.limit("Max data size", "rlimitData"),
		Data:        kib(r.inStatus(s, "VmData", "vmData")),
		Stack:       r.limit("Max stack size", "rlimitStack"),
		MaxMappings: r.sysctl("vm/max_map_count", "maxMapCount"),
		Mappings:    r.mappings(),
	}
}

// mappings counts the lines of /proc/PID/maps. The kernel shows vsyscall there
// too, and does not count it.
func (r reader) mappings() Amount {
	n := uint64(0)
	err := lines(r.root, r.inProcess("maps"), func(line string) bool {
		if !strings.HasSuffix(line, "[vsyscall]") {
			n++
		}
		return false
	})
	if err != nil {
		r.note("maps", err)
		return Amount{}
	}
	return Known(n)
}
