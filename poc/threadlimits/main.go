// Command threadlimits observes what the kernel answers when one more process,
// thread or mapping would exceed a limit, and whether it recovers when there is
// room again. A limit is met with children made by raw clone, which cost little
// and cannot crash the Go runtime as a thread of its own can.
package main

import (
	"os"

	"github.com/mapstack/conformance/poc/probe"
)

func main() {
	probe.Run(run, map[string]func(*probe.P){
		"nproc": nproc, "exempt": exempt, "nocaps": withoutCapabilities, "maker": namespaceMaker,
		"setuid": setuidThenExec, "executed": executed,
		"threadsmax": threadsMax, "pidmax": pidMax, "pidns": pidNamespace, "pidns.inner": insidePIDNamespace,
		"pids": pids, "v1": pidsOfVersion1, "memory": memoryGroup, "storm": storm,
		"as": addressSpace, "data": data, "stack": stackLimit, "numbers": numbers,
		"overcommit": overcommit, "mapcount": mapCount,
		"deadline": deadline, "deadns": deadNamespace, "userns": userNamespaces,
	})
}

func run(p *probe.P) {
	defaults(p)
	processLimits(p)
	p.Observe("setuid").Child(probe.Child{Name: "setuid"}).Emit()
	for _, name := range []string{"as", "data", "stack", "numbers", "deadline", "deadns"} {
		p.Observe(name).Child(probe.Child{Name: name}).Emit()
	}
	whole := wholeMachine()
	p.Observe("machine").Set("ours", whole).Emit()
	if !whole {
		return
	}
	for _, name := range []string{"mapcount", "overcommit", "userns", "pidns", "threadsmax", "pidmax"} {
		p.Observe(name).Child(probe.Child{Name: name}).Emit()
	}
	p.Observe("pids").Child(probe.Child{Name: "pids", Args: []string{version2}}).Emit()
	p.Observe("memory").Child(probe.Child{Name: "memory"}).Emit()
	// Last: version 1 takes the controller from version 2.
	p.Observe("v1").Child(probe.Child{Name: "v1"}).Emit()
}

// wholeMachine reports whether this is a guest of the agent: limits of the
// machine are lowered only where nobody else uses it.
func wholeMachine() bool {
	first, err := os.Readlink("/proc/1/exe")
	return err == nil && first == "/init" && os.Getppid() == 1
}
