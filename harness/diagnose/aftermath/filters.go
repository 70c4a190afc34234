package aftermath

import (
	"fmt"
	"slices"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/poc/abi"
)

func filterKill(w Word, log Log, f *Facts) Cause {
	c := Cause{ID: "seccomp-kill", Likelihood: Certain, Why: say("a seccomp filter ended the program at a system call (SIGSYS)", "seccomp 过滤器在某个系统调用处终止了程序（SIGSYS）"),
		Cure: say("allow the call where the filter is set: SystemCallFilter= of the unit, --security-opt seccomp=FILE, seccompProfile of the pod, or the program's own sandbox",
			"在设置过滤器的地方允许该调用：单元的 SystemCallFilter=、--security-opt seccomp=FILE、Pod 的 seccompProfile，或程序自身的沙箱")}
	words := slices.Clone(log.Words)
	slices.Reverse(words)
	if f != nil {
		words = slices.Concat(f.Kernel, words)
	}
	for _, k := range slices.Backward(words) { // those of the log, then the host's latest
		if k.Kind == Filtered && k.Arch != 0 {
			c.because(say("the kernel's log says that %[1]s was ended at %[2]s", "内核日志表明 %[1]s 在 %[2]s 处被终止", shown(k.Name), callOf(k)))
		}
	}
	return c
}

// callOf names a call by its number, as far as the tables know it.
func callOf(w Word) string {
	number := fmt.Sprintf("system call %d", w.Call)
	t, known := abi.Lookup(architecture(w.Arch))
	if !known {
		return number
	}
	for name, n := range map[string]uint64{"clone": t.Syscall.Clone, "clone3": t.Syscall.Clone3, "mmap": t.Syscall.Mmap, "mprotect": t.Syscall.Mprotect, "unshare": t.Syscall.Unshare, "seccomp": t.Syscall.Seccomp} {
		if n == w.Call && n != 0 {
			return name + " (" + number + ")"
		}
	}
	return number
}

// architecture returns GOARCH of an AUDIT_ARCH (include/uapi/linux/audit.h), "" for one
// that is not in the tables.
func architecture(audit uint64) string {
	return map[uint64]string{0xc000003e: "amd64", 0xc00000b7: "arm64", 0xc00000f3: "riscv64", 0xc0000102: "loong64", 0xc0000015: "ppc64le", 0x80000016: "s390x"}[audit]
}

func filterErrno(w Word, _ Log, f *Facts) Cause {
	c := Cause{ID: "seccomp",
		Why: say("a seccomp filter answered %[1]s to clone or clone3. Container runtimes older than 2021 answer EPERM to clone3, which they do not know, and new C libraries call it",
			"seccomp 过滤器对 clone 或 clone3 返回了 %[1]s。2021 年以前的容器运行时不认识 clone3，返回 EPERM，而新的 C 库会调用它", w.Errno),
		Cure: say("update the container runtime and libseccomp; to try it: docker run --security-opt seccomp=unconfined", "更新容器运行时和 libseccomp；先试验：docker run --security-opt seccomp=unconfined")}
	if f == nil {
		return c
	}
	switch s := f.State; {
	case s.Seccomp.Mode == census.Known(2):
		c.because(say("programs that are started like this have filters: %[1]s", "以这种方式启动的程序带有过滤器：%[1]s 个", s.Seccomp.Filters))
	case s.Container != "":
		c.because(say("the facts are of a container (%[1]s)", "这些事实来自容器（%[1]s）", shown(s.Container)))
	}
	return c
}
