// Package cloneflags observes how clone and clone3 validate their flags. Most calls
// make no process, because the caller has uid 65534 and RLIMIT_NPROC 0. Valid flags
// then give EAGAIN, and invalid ones their own error: copy_process checks the flags
// first (kernel/fork.c). Where the caller cannot become that user, valid flags make a
// child.
package cloneflags

import (
	"fmt"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/sys"
)

// Main runs the probe.
func Main() {
	probe.Run(run, map[string]func(*probe.P){
		"dry": dry, "newpid": newPID, "exec": execing,
		"clone3": clone3Children, "clone3 thread": clone3Thread, "libc thread": libcThreads, "namespaces": namespaces,
	})
}

func run(p *probe.P) {
	fork(p)
	pidfdOfChild(p)
	// After a preemption these children could only continue with another thread of the
	// Go runtime.
	undisturbed := []string{"GODEBUG=asyncpreemptoff=1"}
	p.Observe("dry").Child(probe.Child{Name: "dry", Env: undisturbed}).Emit()
	p.Observe("newpid").Child(probe.Child{Name: "newpid", Env: undisturbed}).Emit()
	p.Observe("namespaces").Child(probe.Child{Name: "namespaces"}).Emit()
	p.Observe("exec").Child(probe.Child{Name: "exec", Env: undisturbed}).Emit()
	p.Observe("libc").Child(probe.Child{Name: "libc thread", Env: undisturbed}).Emit()
	if p.Kernel.Syscall.Clone3 != 0 {
		p.Observe("clone3").Child(probe.Child{Name: "clone3", Env: undisturbed}).Emit()
		p.Observe("clone3 libc").Child(probe.Child{Name: "clone3 thread", Env: undisturbed}).Emit()
	}
}

// nobody is a user without processes and capabilities.
const nobody = 65534

// fork makes one real child. It shows that the number is that of clone, and that
// the kernel stores the child's ID at the addresses that the table's order gives.
// parent_tid is written in this process. The child writes child_tid in a page that
// both share. This leaves only one place for the TLS.
func fork(p *probe.P) {
	o := p.Observe("fork")
	defer o.Emit()
	k := p.Kernel
	page, errno := k.Mmap(0, p.Page, k.Prot.Read|k.Prot.Write, k.Map.Shared|k.Map.Anonymous, -1, 0)
	if errno != 0 {
		o.Unknown("page", fmt.Sprintf("mmap: errno %d %s", int(errno), k.ErrnoName(int(errno))))
		return
	}
	tids := *(**[2]int32)(unsafe.Pointer(&page)) // memory outside Go's own, reached as probe.Poke does
	args := sys.CloneArgs{
		Flags:     parentSetTID | childSetTID | k.Signal.Chld,
		ParentTID: page,
		ChildTID:  page + unsafe.Sizeof(tids[0]),
	}
	child, errno := k.Clone(&args)
	if !o.Returned(describe(args.Flags), uintptr(child), errno) {
		return
	}
	o.Set("parent-tid", tids[0] == int32(child))
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(child, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			o.Unknown("exit", "wait4: "+err.Error())
			return
		}
		break
	}
	o.Set("exit", status.ExitStatus()).Set("child-tid", tids[1] == int32(child))
}

// dry makes the calls of all rows.
func dry(p *probe.P) {
	c := caller{p, forbidProcesses(p, "limit")}
	for _, row := range legacyRows(p.Kernel.Table) {
		c.legacy(row.step, row.flags)
	}
	if p.Kernel.Syscall.Clone3 == 0 {
		return
	}
	for _, row := range clone3Rows(p.Kernel.Table, int(p.Page)) {
		c.clone3(row)
	}
	o := p.Observe("clone3 without a struct")
	tid, errno := p.Kernel.Clone3(nil, sizeVer2)
	c.end(o, o.Returned(fmt.Sprintf("clone3(NULL, %d)", sizeVer2), uintptr(tid), errno), tid, 0)
}

// newPID asks for a thread after unshare moved future children of the calling
// thread to another PID namespace.
func newPID(p *probe.P) {
	o := p.Observe("unshare")
	ok := o.Returned(fmt.Sprintf("unshare(%#x)", uint64(newPIDNamespace)), 0, p.Kernel.Unshare(newPIDNamespace))
	o.Emit()
	if !ok {
		return
	}
	c := caller{p, forbidProcesses(p, "limit")}
	c.legacy("process", p.Kernel.Signal.Chld)
	c.legacy("thread", goThread)
}

// forbidProcesses removes everything that exempts the calling thread from
// RLIMIT_NPROC, and sets that limit to 0. The other threads of the Go runtime stay
// root, to whom the limit does not apply. It reports whether the limit is in force: a
// process without the capability, or in a user namespace without that user, stays who it is.
func forbidProcesses(p *probe.P, step string) bool {
	o := p.Observe(step)
	defer o.Emit()
	if !o.Returned(fmt.Sprintf("setresuid(%d, %[1]d, %[1]d)", nobody), 0, p.Kernel.Setresuid(nobody, nobody, nobody)) {
		return false
	}
	limit := sys.Rlimit{Current: 0, Max: 0}
	return o.Returned("prlimit64(RLIMIT_NPROC, 0)", 0, p.Kernel.Prlimit64(p.Kernel.Rlimit.NProc, &limit, nil))
}

func describe(flags uint64) string { return fmt.Sprintf("clone(flags=%#x)", flags) }
