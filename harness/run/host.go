package run

import (
	"fmt"
	"runtime"

	"github.com/tklauser/go-sysconf"

	"github.com/mapstack/conformance/harness/judge/evidence"
)

// MeasureHost returns the cores, memory and page size of this machine. They decide how many
// guests run at once.
func MeasureHost() (evidence.Host, error) {
	h := evidence.Host{Arch: runtime.GOARCH}
	var pages int64
	for _, q := range []struct {
		name  string
		which int
		into  func(int64)
	}{
		{"_SC_NPROCESSORS_ONLN", sysconf.SC_NPROCESSORS_ONLN, func(v int64) { h.Cores = int(v) }},
		{"_SC_PAGESIZE", sysconf.SC_PAGESIZE, func(v int64) { h.PageSize = int(v) }},
		{"_SC_PHYS_PAGES", sysconf.SC_PHYS_PAGES, func(v int64) { pages = v }},
	} {
		v, err := sysconf.Sysconf(q.which)
		if err != nil || v < 1 {
			return h, fmt.Errorf("ask this host for %s: got %d, %w", q.name, v, err)
		}
		q.into(v)
	}
	h.MemoryMiB = int(pages * int64(h.PageSize) >> 20)
	return h, nil
}

// guestShareNum / guestShareDen is the part of the host's memory that all guests together
// may have. The rest is for the page cache, the compiler and other programs.
const guestShareNum, guestShareDen = 3, 4
