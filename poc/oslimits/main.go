// Package oslimits observes what an operating system's own settings leave for a Go
// program. It checks that the kernel accepted the sysctls. It also counts the
// threads of a program that systemd starts, and of one in a login session.
//
// Each argument is a setting: its kind ("sysctl", "service" or "session"), its
// name, its value, and where it is set.
package oslimits

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

const (
	// user is an ordinary user whom nothing else runs as.
	user = 65528
	// threads is the number of threads that the program makes, as many as a busy
	// server has.
	threads = 1000
	// tasks is the name of the setting for pids.max: a number, or a percentage of
	// all process IDs.
	tasks = "tasks"
)

// setting is one argument.
type setting struct{ of, name, value, source string }

// Main runs the probe.
func Main() {
	probe.Run(run, map[string]func(*probe.P){"enter": enter, "program": program})
}

func run(p *probe.P) {
	var settings []setting
	for _, a := range p.Args {
		f := strings.SplitN(a, " ", 4)
		if len(f) != 4 {
			panic(fmt.Sprintf("argument %q is not: of name value source", a))
		}
		settings = append(settings, setting{f[0], f[1], f[2], f[3]})
	}
	for _, s := range settings {
		if s.of == "sysctl" {
			sysctl(p, s)
		}
	}
	for _, of := range []string{"service", "session"} {
		live(p, of, settings)
	}
}

// sysctl records the value of a sysctl. The agent set it before anything else ran.
func sysctl(p *probe.P, s setting) {
	o := p.Observe("sysctl "+s.name).Set("asked", s.value).Set("source", s.source)
	defer o.Emit()
	b, err := os.ReadFile(filepath.Join("/proc/sys", strings.Replace(s.name, ".", "/", -1)))
	switch {
	case os.IsNotExist(err):
		o.Set("is", "absent")
	case err != nil:
		o.Unknown("is", err.Error())
	default:
		o.Set("is", strings.TrimSpace(string(b)))
	}
}

// live runs the program under all settings of one kind.
func live(p *probe.P, of string, settings []setting) {
	o := p.Observe(of + ".limits")
	group, remove, err := grouped("oslimits-" + of)
	if err != nil {
		o.Set("ungrouped", err)
	}
	defer remove()
	args := []string{string(group)}
	for _, s := range settings {
		if s.of != of {
			continue
		}
		o.Set(s.name, s.value).Set(s.name+".source", s.source)
		if s.name != tasks {
			args = append(args, s.name+"="+s.value)
			continue
		}
		if group == "" {
			o.Set("pids.max", "absent")
			continue
		}
		most := share(s.value, settings)
		group.Put("pids.max", most)
		o.Set("pids.max", most)
	}
	o.Emit()
	p.Observe(of).Copy(probe.Copy{Name: "enter", Args: args, Body: enter}).Emit()
	o = p.Observe(of + ".events")
	if group == "" {
		o.Set("pids", "absent")
	} else {
		group.Count(o, "pids", "pids.events", "max")
	}
	o.Emit()
}

// grouped makes a group that counts tasks. Where the kernel has no pids controller, or no
// control groups of version 2, it returns "". It returns an error where root may make none.
func grouped(name string) (group limit.Group, remove func(), err error) {
	root := limit.Group(limit.Version2)
	b, err := os.ReadFile(filepath.Join(limit.Version2, "cgroup.controllers"))
	if err != nil || !contains(strings.Fields(string(b)), "pids") {
		return "", func() {}, nil
	}
	if err := os.Mkdir(filepath.Join(limit.Version2, name), 0o755); err != nil && !os.IsExist(err) {
		return "", func() {}, err
	}
	withdraw := root.Offer("pids")
	group = root.Below(name)
	return group, func() { group.Clear(); withdraw() }, nil
}

func contains(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

// share returns pids.max as a number. A percentage is one of all process IDs, or of
// kernel.threads-max if that is smaller (system_tasks_max in systemd).
// kernel.threads-max counts only if it is set: its default depends on memory, of
// which a guest has little.
func share(value string, settings []setting) string {
	if !strings.HasSuffix(value, "%") {
		return value
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(value, "%"))
	limit.Must(err)
	all, err := strconv.Atoi(limit.MustOpen("kernel/pid_max").Was())
	limit.Must(err)
	for _, s := range settings {
		if s.of != "sysctl" || s.name != "kernel.threads-max" {
			continue
		}
		most, err := strconv.Atoi(limit.MustOpen("kernel/threads-max").Was())
		limit.Must(err)
		if most < all {
			all = most
		}
	}
	return strconv.Itoa(all * percent / 100)
}

// enter applies the limits, becomes an ordinary user, and executes the program.
func enter(p *probe.P) {
	if group := limit.Group(p.Args[0]); group != "" {
		group.MustEnter()
	}
	resources := map[string]uint64{"nproc": p.Kernel.Rlimit.NProc, "as": p.Kernel.Rlimit.AS, "data": p.Kernel.Rlimit.Data,
		"stack": p.Kernel.Rlimit.Stack, "memlock": p.Kernel.Rlimit.MemLock}
	for _, a := range p.Args[1:] {
		i := strings.IndexByte(a, '=')
		resource, known := resources[a[:i]]
		if !known {
			panic("no limit is called " + a[:i])
		}
		set(p, resource, a[:i], a[i+1:])
	}
	if errno := p.Kernel.Setresuid(user, user, user); errno != 0 {
		panic(errno)
	}
	err := syscall.Exec("/proc/self/exe", []string{os.Args[0], "-child", "program"}, os.Environ())
	o := p.Observe("exec")
	o.Returned("execve", 0, limit.ErrnoOf(err))
	o.Emit()
}

// set sets a limit to soft:hard. Each is a number, "max", or "-" for no change.
func set(p *probe.P, resource uint64, name, value string) {
	var l sys.Rlimit
	if errno := p.Kernel.Prlimit64(resource, nil, &l); errno != 0 {
		panic(errno)
	}
	f := strings.Split(value, ":")
	for i, to := range []*uint64{&l.Current, &l.Max} {
		switch f[i] {
		case "-":
		case "max":
			*to = ^uint64(0)
		default:
			n, err := strconv.ParseUint(f[i], 10, 64)
			limit.Must(err)
			*to = n
		}
	}
	if l.Current > l.Max {
		l.Current = l.Max
	}
	o := p.Observe("set " + name)
	o.Returned("prlimit64("+value+")", 0, p.Kernel.Prlimit64(resource, &l, nil))
	o.Emit()
}

// program stands for an ordinary Go program that has many threads at once.
func program(p *probe.P) {
	p.Observe("before").Set("uid", os.Getuid()).Set("threads", limit.MustNumber(limit.Self, "Threads")).Emit()
	up, end := make(chan bool), make(chan bool)
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			up <- true
			<-end
		}()
		<-up
	}
	p.Observe("up").Set("started", threads).Set("threads", limit.MustNumber(limit.Self, "Threads")).Emit()
	close(end)
}
