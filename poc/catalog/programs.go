package catalog

import (
	"github.com/mapstack/conformance/poc/defect"
	"github.com/mapstack/conformance/poc/stage0"
)

// Programs that the engine itself asks for by name.
const (
	Facts    = "facts"    // says what the target is, and runs first
	Sysconf  = "sysconf"  // gives facts the view of sysconf(3)
	OSLimits = "oslimits" // takes on what the cell's operating system sets
	Inject   = "inject"   // runs another program below a defect model
	Load     = "load"     // puts the Go runtime under load, for a benchmark
)

// Reasons for Program.Direct.
const (
	describes = "it says what the target is, and claims are judged by that"
	traces    = "it traces, and a thread has one tracer"
)

// Reasons for Program.Echoes.
const (
	fills   = "a limit is filled with mappings of every kind, and those with MAP_STACK are refused or of no use"
	errno   = "the model changes this errno of the call wherever it occurs, and other limits report the same one"
	unused  = "the experiment gives mappings back and maps again, or fills what it then gives back"
	refused = "the experiment meets ENOMEM once, and everything after it in that process is refused"
	kinds   = "a limit is tried with mappings of this kind, which the model makes another"
	guards  = "the limit is met by splitting mappings with mprotect, or by telling kinds apart that the model makes alike"
	limited = "the experiment sets RLIMIT_NPROC, as root too, to see which error comes first"
)

// Programs returns the record of every program, sorted by name.
func Programs() []Program {
	mappings := []defect.Subject{defect.Stack, defect.Place, defect.Number, defect.Rule, defect.Memory, defect.Limit}
	return []Program{
		{
			Name: "address", Shared: true,
			// At 16 MiB no user can start a program that is linked to 4 MiB, as Go's are.
			Risk:     Risk{Class: Harmful, Reason: "it raises vm.mmap_min_addr to 16 MiB for about a second, in which users cannot start programs that are linked to lower addresses, Go's among them"},
			Subjects: []defect.Subject{defect.Place},
			Echoes:   map[string]string{"huge-length-einval": errno, "munmap-ignored": unused, "no-room-is-final": refused},
		},
		{
			Name: "cloneflags", Shared: true,
			Risk:     Risk{Class: Harmless, Reason: "it makes processes of its own, a few at a time, and a control group for one of them, which it removes"},
			Subjects: []defect.Subject{defect.Clone},
			Echoes: map[string]string{
				"limits-ignored": limited, "nproc-exempts-nobody": limited,
				"refusal-is-final": "the experiment clones again after the refusal that an execve causes",
			},
		},
		{
			Name: Facts, Emulated: true, Direct: describes,
			Risk: Risk{Class: Harmless, Reason: "it only reads"},
		},
		{
			Name: "hostile",
			Risk: Risk{Class: Harmful, Reason: "it crashes the machine on purpose"},
		},
		{
			Name: Inject,
			Risk: Risk{Class: Harmful, Reason: "it makes system calls lie, which says nothing of the system"},
		},
		{
			// Nothing but `mapstack bench load` runs it: no claim needs it.
			Name: Load, Emulated: true, Direct: "it measures time, which an injector would take",
			Risk:     Risk{Class: Harmless, Reason: "it keeps all CPUs busy for about half a second at a time, and begins nothing that a limit has no room for"},
			Variants: []Variant{Strict, Fallback},
		},
		{
			Name: "mapstack", Shared: true, Emulated: true,
			Risk:     Risk{Class: Harmless, Reason: "it maps memory and starts threads of its own"},
			Subjects: mappings,
			Echoes:   map[string]string{"no-room-is-final": refused},
		},
		{
			Name: "mmapabi", Shared: true, Emulated: true,
			Risk:     Risk{Class: Harmless, Reason: "it maps memory of its own"},
			Subjects: mappings,
			Echoes: map[string]string{
				"no-room-is-final":            refused,
				"stack-limit-counts-mappings": "MF-110 is about the same limit, as the area of the flag words sees it",
			},
		},
		{
			// It has a tracer of its own where the injector would be, so that it is about
			// no defect. `run --defect` injects all the same.
			Name: "newosproc", Turn: 1,
			Risk:     Risk{Class: Harmful, Reason: "it lowers kernel.threads-max, kernel.pid_max and vm.max_map_count for some seconds each, in which nobody else gets threads"},
			Variants: []Variant{Mended},
		},
		{
			Name: OSLimits, Direct: "it is what an ordinary program of the system does",
			Risk: Risk{Class: Harmful, Reason: "it makes a control group and 1,000 threads, for which others may lack room"},
		},
		{
			Name: "protection", Shared: true,
			Risk:     Risk{Class: Restores, Reason: "it sets kernel.yama.ptrace_scope to 2 for about a second, in which nobody but root attaches a debugger"},
			Subjects: []defect.Subject{defect.Stack, defect.Rule, defect.Memory, defect.Bits},
		},
		{
			Name: "sigstack", Shared: true,
			Risk:     Risk{Class: Harmless, Reason: "it takes signals of its own"},
			Subjects: []defect.Subject{defect.Signal},
		},
		{
			Name: "stackfallback", Shared: true, Emulated: true,
			Risk: Risk{Class: Harmless, Reason: "it starts some threads of its own"},
		},
		{
			Name: stage0.Probe, Assembled: true, Direct: "it ran before any injector could",
			Risk: Risk{Class: Harmless, Reason: "it maps memory and makes processes of its own, a few at a time"},
		},
		{
			Name: Sysconf, Shared: true, Emulated: true, Hosted: true, Direct: describes,
			Risk: Risk{Class: Harmless, Reason: "it only reads"},
		},
		{
			// It is the last in its guest: a hierarchy of control groups that it mounts may keep
			// a controller, which newosproc needs (seen on amd64 6.1).
			Name: "threadlimits", Turn: 2,
			Risk:     Risk{Class: Harmful, Reason: "it lowers kernel.threads-max, kernel.pid_max, vm.max_map_count, vm.overcommit_memory and user.max_user_namespaces for some seconds each and uses them up, in which nobody else gets threads or memory"},
			Subjects: []defect.Subject{defect.Limit, defect.Count},
			Echoes: map[string]string{
				"clone-enomem": errno, "growsdown-ignored": kinds, "huge-length-einval": errno, "mprotect-ignored": guards,
				"munmap-ignored": unused, "none-readable": guards, "noreserve-ignored": kinds, "read-writable": kinds,
				"stack-einval": fills, "stack-enomem": fills, "stack-eopnotsupp": fills, "stack-eperm": fills, "stack-grows": kinds,
				"stack-inaccessible": fills, "stack-read-only": fills, "stack-shared": kinds,
			},
		},
		{
			Name: "threadstacks", Shared: true, Emulated: true,
			Risk:     Risk{Class: Harmless, Reason: "it starts some threads of its own"},
			Variants: []Variant{Strict, Fallback},
		},
		{
			// tracefs is mounted in a folder of its own and unmounted; in no other's way.
			Name: "tracing", Shared: true, Direct: traces,
			Risk: Risk{Class: Restores, Reason: "it mounts tracefs in a folder of its own for a moment"},
		},
		{
			// It is an injector's parent itself, so that it is about no defect.
			Name: "variants", Shared: true, Emulated: true,
			Risk: Risk{Class: Harmless, Reason: "it starts programs of its own"},
		},
		{
			// Its detection is stackprobe's: Linux 6.1 on MIPS frees the page of zeroes.
			Name: "zeropage", Shared: true,
			Risk:     Risk{Class: Harmful, Reason: "on some MIPS kernels it frees the page of zeroes that all processes share", Archs: []string{"mips64le"}},
			Subjects: []defect.Subject{defect.Memory},
		},
	}
}
