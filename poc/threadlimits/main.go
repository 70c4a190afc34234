// Package threadlimits observes what the kernel returns when one more process,
// thread or mapping would exceed a limit. It also observes whether the kernel
// recovers when there is room again. The children are made by raw clone: they cost
// little, and unlike threads cannot crash the Go runtime.
package threadlimits

import (
	"github.com/mapstack/conformance/poc/limit"
	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	probe.Run(run, map[string]func(*probe.P){
		"nproc": nproc, "exempt": exempt, "nocaps": withoutCapabilities, "maker": namespaceMaker, "namespace": oneNamespace,
		"setuid": setuidThenExec, "executed": executed,
		"threadsmax": threadsMax, "pidmax": pidMax, "pidns": pidNamespace, "pidns.inner": insidePIDNamespace,
		"pids": pids, "v1": pidsOfVersion1, "memory": memoryGroup, "storm": storm,
		"as": addressSpace, "data": data, "stack": stackLimit, "numbers": numbers, "infinity": infinity,
		"overcommit": overcommit, "mapcount": mapCount,
		"deadline": deadline, "deadns": deadNamespace, "userns": userNamespaces,
	})
}

func run(p *probe.P) {
	defaults(p)
	whole := limit.WholeMachine()
	p.Observe("machine").Set("ours", whole).Emit()
	if whole {
		// These are first, while few IDs have been used, so that few have to be used
		// up.
		lowering(p, "pidmax", "kernel/pid_max")
		lowering(p, "pidns", "kernel/pid_max")
		lowering(p, "threadsmax", "kernel/threads-max")
		lowering(p, "mapcount", "vm/max_map_count")
		lowering(p, "overcommit", "vm/overcommit_memory", commitLimit())
		userns := []string{"user/max_user_namespaces"}
		if _, err := limit.Open(debianUserNamespaces); err == nil {
			userns = append(userns, debianUserNamespaces)
		}
		lowering(p, "userns", userns...)
	}
	processLimits(p, whole)
	for _, name := range []string{"setuid", "as", "data", "stack", "numbers", "infinity", "deadline", "deadns"} {
		p.Observe(name).Child(probe.Child{Name: name}).Emit()
	}
	if whole {
		controlGroups(p)
	}
}

// lowering runs a child that changes limits of the machine, and restores them
// however the child ends. A system may lack a sysctl, or not let it be written.
func lowering(p *probe.P, name string, sysctls ...string) {
	var changed []*limit.Sysctl
	for _, s := range sysctls {
		opened, err := limit.Open(s)
		if err != nil {
			p.Observe(name).Set("absent", err.Error()).Emit()
			return
		}
		changed = append(changed, opened)
	}
	p.Observe(name).Child(probe.Child{Name: name}).Emit()
	for _, s := range changed {
		s.Restore()
	}
}
