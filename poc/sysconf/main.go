// Command sysconf prints the values of sysconf(3) on the target, as go-sysconf
// computes them without libc. It is the only program under poc that needs more than
// the standard library. It is built from the main go.mod, for architectures of
// stock Go.
package main

import (
	"github.com/tklauser/go-sysconf"

	"github.com/mapstack/conformance/poc/probe"
)

func main() {
	probe.Run(func(p *probe.P) {
		o := p.Observe("sysconf")
		for _, s := range []struct {
			name string
			sc   int
		}{
			{"SC_PAGESIZE", sysconf.SC_PAGESIZE},
			{"SC_NPROCESSORS_CONF", sysconf.SC_NPROCESSORS_CONF},
			{"SC_NPROCESSORS_ONLN", sysconf.SC_NPROCESSORS_ONLN},
			{"SC_PHYS_PAGES", sysconf.SC_PHYS_PAGES},
			{"SC_AVPHYS_PAGES", sysconf.SC_AVPHYS_PAGES},
			{"SC_ARG_MAX", sysconf.SC_ARG_MAX},
			{"SC_CHILD_MAX", sysconf.SC_CHILD_MAX},
			{"SC_OPEN_MAX", sysconf.SC_OPEN_MAX},
			{"SC_SIGQUEUE_MAX", sysconf.SC_SIGQUEUE_MAX},
			{"SC_RTSIG_MAX", sysconf.SC_RTSIG_MAX},
			{"SC_CLK_TCK", sysconf.SC_CLK_TCK},
			{"SC_NGROUPS_MAX", sysconf.SC_NGROUPS_MAX},
			{"SC_UIO_MAXIOV", sysconf.SC_UIO_MAXIOV},
			{"SC_THREADS", sysconf.SC_THREADS},
			{"SC_THREAD_KEYS_MAX", sysconf.SC_THREAD_KEYS_MAX},
			{"SC_THREAD_STACK_MIN", sysconf.SC_THREAD_STACK_MIN},
			{"SC_THREAD_THREADS_MAX", sysconf.SC_THREAD_THREADS_MAX},
			{"SC_THREAD_ATTR_STACKSIZE", sysconf.SC_THREAD_ATTR_STACKSIZE},
		} {
			value, err := sysconf.Sysconf(s.sc)
			if err != nil {
				o.Unknown(s.name, err.Error())
				continue
			}
			o.Set(s.name, value) // -1 means no limit
		}
		o.Emit()
	}, nil)
}
