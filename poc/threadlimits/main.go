// Package threadlimits observes what the kernel returns when one more process,
// thread or mapping would exceed a limit. It also observes whether the kernel
// recovers when there is room again. The children are made by raw clone: they cost
// little, and unlike threads cannot crash the Go runtime.
package threadlimits

import (
	"strconv"

	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	children := map[string]func(*probe.P){
		"executed": executed, "storm": storm, "stack": stackLimit, "infinity": infinity, "deadns": deadNamespace, "overcommit": warmed(overcommit),
		// At these limits the runtime gets no memory for itself. What it has left is
		// known of a program that has just begun, and not of a copy.
		"as": warmed(addressSpace), "data": warmed(data), "mapcount": warmed(mapCount),
	}
	for name, body := range copies() {
		children[name] = warmed(body)
	}
	probe.Run(run, children)
}

// copies returns what is done in a copy of the probe, by name. It needs no second
// thread.
func copies() map[string]func(*probe.P) {
	return map[string]func(*probe.P){
		"nproc": nproc, "exempt": exempt, "nocaps": withoutCapabilities, "maker": namespaceMaker, "namespace": oneNamespace,
		"setuid": setuidThenExec, "threadsmax": threadsMax, "pidmax": pidMax, "pidns": pidNamespace, "pidns.inner": insidePIDNamespace,
		"pids": pids, "v1": pidsOfVersion1, "memory": memoryGroup, "numbers": numbers, "deadline": deadline, "userns": userNamespaces,
	}
}

// copied runs one of the copies as a step.
func copied(p *probe.P, step string, c probe.Copy) {
	c.Body = copies()[c.Name]
	p.Observe(step).Copy(c).Emit()
}

// warmed lets a program of its own have what a copy has from the probe.
func warmed(f func(*probe.P)) func(*probe.P) {
	return func(p *probe.P) {
		limit.Prewarm()
		f(p)
	}
}

func run(p *probe.P) {
	// Copies lower limits of the machine, at which the probe itself gets no threads.
	limit.Prewarm()
	defaults(p)
	// Each step has its own users: the kernel stops counting what is a user's only some
	// time after its end. They are looked for once, because that reads a file of every
	// thread.
	users := limit.Unused(2 + namespaceUsers)
	whole := limit.WholeMachine()
	p.Observe("machine").Set("ours", whole).Emit()
	if whole {
		// These are first, while few IDs have been used, so that few have to be used
		// up.
		lowering(p, "pidmax", []string{"kernel/pid_max"})
		lowering(p, "pidns", []string{"kernel/pid_max"})
		lowering(p, "threadsmax", []string{"kernel/threads-max"})
		lowering(p, "mapcount", []string{"vm/max_map_count"})
		lowering(p, "overcommit", []string{"vm/overcommit_memory", commitLimit()})
		loweringNamespaces(p, users[2:])
	}
	processLimits(p, users[0], whole)
	child(p, "setuid", text(users[1]))
	for _, name := range []string{"as", "data", "stack", "numbers", "infinity", "deadline", "deadns"} {
		child(p, name)
	}
	if whole {
		controlGroups(p)
	}
}

// loweringNamespaces runs the child that makes user namespaces as some users.
func loweringNamespaces(p *probe.P, users []uint32) {
	sysctls := []string{"user/max_user_namespaces"}
	if _, err := limit.Open(debianUserNamespaces); err == nil {
		sysctls = append(sysctls, debianUserNamespaces)
	}
	var args []string
	for _, user := range users {
		args = append(args, text(user))
	}
	lowering(p, "userns", sysctls, args...)
}

// text returns a user ID as an argument, and user reads one.
func text(user uint32) string { return strconv.FormatUint(uint64(user), 10) }

func user(arg string) uint32 {
	id, err := strconv.ParseUint(arg, 10, 32)
	limit.Must(err)
	return uint32(id)
}

// child runs a child as the step of its name: a copy, if it can be one.
func child(p *probe.P, name string, args ...string) {
	if copies()[name] != nil {
		copied(p, name, probe.Copy{Name: name, Args: args})
		return
	}
	// A runtime that preempts a goroutine needs memory, which a limit may refuse it.
	p.Observe(name).Child(probe.Child{Name: name, Args: args, Env: []string{"GODEBUG=asyncpreemptoff=1"}}).Emit()
}

// lowering runs a child that changes limits of the machine, and restores them
// however the child ends. A system may lack a sysctl, or not let it be written.
func lowering(p *probe.P, name string, sysctls []string, args ...string) {
	var changed []*limit.Sysctl
	for _, s := range sysctls {
		opened, err := limit.Open(s)
		if err != nil {
			p.Observe(name).Set("absent", err.Error()).Emit()
			return
		}
		changed = append(changed, opened)
	}
	child(p, name, args...)
	for _, s := range changed {
		s.Restore()
	}
}
