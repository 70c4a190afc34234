package abi

// Feature is something that an architecture may lack with every kernel release and
// configuration.
type Feature string

const (
	GoPort      Feature = "Go's own toolchain"
	Sysconf     Feature = "go-sysconf"
	HugePages   Feature = "transparent huge pages"
	Layouts     Feature = "more than one layout of mappings"
	VDSO        Feature = "a vDSO"
	Trace       Feature = "PTRACE_GET_SYSCALL_INFO and /proc/PID/syscall"
	Tracepoints Feature = "tracepoints"
)

// Lacks returns why the architecture lacks a feature, "" if it has it.
func (t Table) Lacks(f Feature) string { return t.lacks[f] }

func alphaLacks() map[Feature]string {
	return map[Feature]string{
		GoPort:      "alpha's programs are compiled by gccgo, whose runtime is another and whose threads come from glibc's pthread_create",
		Sysconf:     "go-sysconf has no files for alpha",
		HugePages:   "alpha has no transparent huge pages (no HAVE_ARCH_TRANSPARENT_HUGEPAGE in arch/alpha/Kconfig)",
		Layouts:     "alpha has one layout, from TASK_UNMAPPED_BASE up, and no vm.legacy_va_layout (arch_get_unmapped_area in arch/alpha/kernel/osf_sys.c)",
		VDSO:        "alpha has no vDSO",
		Trace:       "alpha's tracers have no PTRACE_GET_SYSCALL_INFO and no /proc/PID/syscall (no HAVE_ARCH_TRACEHOOK in arch/alpha/Kconfig of 6.1 and 7.2)",
		Tracepoints: "alpha has no tracepoints (no TRACE_IRQFLAGS_SUPPORT in arch/alpha/Kconfig)",
	}
}

func sw64Lacks() map[Feature]string {
	return map[Feature]string{Sysconf: "go-sysconf has no files for sw64"}
}
