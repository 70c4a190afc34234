// Package load puts the Go runtime under load and measures what it does: operations per
// second, how long they take, and what they cost the kernel. It judges nothing. No claim needs
// it, so that no run of the matrix waits for it; `mapstack bench load` runs it.
//
//	load NAME [MILLISECONDS]    one load; it is measured for 300 ms, or at most 60,000
//	load machine                says what the machine is
//
// A load that a limit leaves no room for is not begun. The observation then names the limit.
package load

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/mapstack/conformance/poc/probe"
)

const (
	// usual and longest are how long a load is measured, in ms.
	usual   = 300
	longest = 60000
	// collect is the default of GOGC. package probe stops the collector.
	collect = 100
)

// Steps that this probe reports.
const (
	Measured = "load"    // what was measured
	Refused  = "refused" // why a load was not begun
	Machine  = "machine" // what the machine is
)

// Names returns the names of all loads, in the order of reports.
func Names() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		if len(p.Args) == 1 && p.Args[0] == Machine {
			machine(p)
			return
		}
		k, span, err := asked(p.Args)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		measure(p, k, span)
	}, nil)
}

// asked returns the load that the arguments name, and how long to measure it.
func asked(args []string) (kind, time.Duration, error) {
	usage := fmt.Errorf("usage: load NAME [MILLISECONDS], or load machine; the names are %s", strings.Join(Names(), " "))
	if len(args) < 1 || len(args) > 2 {
		return kind{}, 0, usage
	}
	ms := usual
	if len(args) == 2 {
		var err error
		if ms, err = strconv.Atoi(args[1]); err != nil || ms < 1 || ms > longest {
			return kind{}, 0, fmt.Errorf("%q is no number of milliseconds from 1 to %d", args[1], longest)
		}
	}
	for _, k := range kinds() {
		if k.name == args[0] {
			return k, time.Duration(ms) * time.Millisecond, nil
		}
	}
	return kind{}, 0, usage
}

// measure runs a load and records what it did.
func measure(p *probe.P, k kind, span time.Duration) {
	if l := room(p, k.needs); l != nil {
		p.Observe(Refused).Set("limit", l.limit).Set("free", l.free).Set("needs", l.needs).Emit()
		return
	}
	debug.SetGCPercent(collect)
	if k.procs > 0 {
		runtime.GOMAXPROCS(k.procs)
	}
	m := &meter{span: span}
	t := newThreads()
	m.idle = t.count()
	t.close()
	// This goroutine has a thread of its own, which a load must not wait for.
	ended := make(chan error)
	go func() { ended <- k.run(p, m) }()
	err := <-ended
	var refused failure
	if errors.As(err, &refused) {
		o := p.Observe(Refused)
		o.Returned(refused.call, 0, refused.errno)
		o.Emit()
		return
	}
	o := p.Observe(Measured)
	m.report(o.Set("name", k.name))
	o.Emit()
}
