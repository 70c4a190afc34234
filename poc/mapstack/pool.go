package mapstack

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/mapstack/conformance/poc/limit"
)

// poolSize is the sysctl with the number of huge pages that are set aside.
const poolSize = "/proc/sys/vm/nr_hugepages"

// hugePageSize returns the size of the default huge page in bytes.
func hugePageSize() (uintptr, error) {
	kib, err := meminfo("Hugepagesize")
	return uintptr(kib) << 10, err
}

// meminfo returns a number from /proc/meminfo.
func meminfo(name string) (uint64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == name+":" {
			return strconv.ParseUint(words[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("/proc/meminfo has no %s", name)
}

// reserve sets huge pages aside until restore is called, n more than there were. It
// returns how many are free then: memory may have no room for as many. On a machine that
// others use it sets none aside, and what is free already must do.
func reserve(n int) (restore func(), free uint64, err error) {
	restore = func() {}
	if limit.WholeMachine() {
		text, err := os.ReadFile(poolSize)
		if err != nil {
			return nil, 0, err
		}
		before := strings.TrimSpace(string(text))
		number, err := strconv.Atoi(before)
		if err != nil {
			return nil, 0, err
		}
		if err := os.WriteFile(poolSize, []byte(strconv.Itoa(number+n)), 0); err != nil {
			return nil, 0, err
		}
		restore = func() { _ = os.WriteFile(poolSize, []byte(before), 0) }
	}
	if free, err = meminfo("HugePages_Free"); err != nil {
		restore()
		return nil, 0, err
	}
	return restore, free, nil
}
