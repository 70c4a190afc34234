package cases

import (
	"syscall"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/poc/trace"
)

// situation is one case: how it comes about, and what diagnose must say of it.
type situation struct {
	name string
	// pids and memory are limits of a control group that the case makes; 0 for none. The
	// program is in this group, or in one below it.
	pids, memory int
	below        bool
	// outside is where diagnose itself runs. It is in the group that was made, unless the
	// program is moved to it.
	outside *entrance
	// inside is what stands between diagnose and the program.
	inside *entrance
	moved  bool // only the program is in the group
	alone  bool // diagnose and the program run as a user that nobody else is
	// before is a program that runs already when diagnose begins. It writes "up". It runs
	// as itsUser, or, if diagnose is attached to it, in the place of outside.
	before []string
	attach bool
	stop   bool // and is told to end once it is attached
	// program is the name of a subject, or "play" and a part, with arguments.
	program []string
	mode    uint32 // of the program's file
	own     bool   // the case changes settings of the whole machine
	later   bool   // the report is complete some time after diagnose has ended
	some    bool   // only some kernels refuse; it is tried without diagnose first
	want    told
}

// itsUser stands for a user without processes.
const itsUser = 1

// itsRoot stands for a folder with the programs and nothing else.
const itsRoot = "root"

// told is what a report must say.
type told struct {
	verdict string // "" for any
	exit    int    // of the command; anyExit for any
	call    string // that was refused, or at which a filter ended it; "*" at its end for any
	want    diagnose.Want
	errno   string
	// cause is the ID of the first cause, and how its certainty. "" is for none with
	// verdict "fine", and else for any.
	cause string
	how   diagnose.Certainty
	never []string // IDs of causes that would be wrong
	gap   watch.Reason
	// sentence is in the explanation, so that one sentence has cause and cure.
	sentence string
	// output is in what diagnose and the program write.
	output string
	// says lists words of the report where no ID says it; one of them is enough.
	says []string
}

const anyExit = -1

// ptraceScope is the setting of the security module Yama.
const ptraceScope = "/proc/sys/kernel/yama/ptrace_scope"

func userCases() []situation {
	return []situation{
		{
			name:  "a user's limit",
			alone: true, outside: &entrance{Limits: []rlimit{{"NPROC", 30, 5000}}}, program: []string{play, "crowd", "60"},
			want: told{verdict: "refused", exit: 2, want: diagnose.Thread, errno: "EAGAIN", cause: "rlimit-nproc", how: diagnose.Is},
		},
		{
			// su, runuser, cron and container runtimes: they become a user who has more tasks
			// than RLIMIT_NPROC allows. execve answers EAGAIN. No clone fails.
			name:   "execve after a change of user",
			before: []string{"threads", "20", "stay"}, inside: &entrance{Limits: []rlimit{both("NPROC", 10)}, Within: &entrance{User: itsUser}}, program: []string{play, "true"},
			want: told{verdict: "refused", exit: 126, call: "execve", errno: "EAGAIN", cause: "rlimit-nproc", how: diagnose.Is},
		},
		{
			// A rootless container. The kernel keeps the limit of the moment when the user
			// namespace was made, since Linux 5.14.
			name:  "a limit that a user namespace keeps",
			alone: true, some: true, inside: &entrance{Limits: []rlimit{{"NPROC", 40, 5000}}, Within: &entrance{New: syscall.CLONE_NEWUSER,
				Within: &entrance{Limits: []rlimit{{"NPROC", 4000, 5000}}}}},
			program: []string{"threads", "80"},
			want:    told{verdict: "refused", exit: 3, want: diagnose.Thread, errno: "EAGAIN", cause: "userns-nproc"},
		},
		{
			// When one needs a diagnosis, the limit is used up.
			name:  "diagnose at the limit",
			alone: true, outside: &entrance{Limits: []rlimit{both("NPROC", 8)}}, program: []string{"threads", "60"},
			want: told{verdict: "refused", exit: 3, errno: "EAGAIN", cause: "rlimit-nproc", how: diagnose.Is},
		},
		{
			// 22 threads fit below a limit of 30, unless the threads of mapstack count.
			name:  "the threads of mapstack",
			alone: true, outside: &entrance{Limits: []rlimit{both("NPROC", 30)}}, program: []string{"threads", "22"},
			want: told{verdict: "fine", exit: 0},
		},
		{
			name:  "a remedy above the hard limit",
			alone: true, outside: &entrance{Limits: []rlimit{both("NPROC", 30)}}, program: []string{"threads", "60"},
			want: told{verdict: "refused", exit: 3, cause: "rlimit-nproc", how: diagnose.Is, says: []string{"as root: the hard limit is 30"}},
		},
		{
			// Its user may run the program and not read it. Then most of /proc is closed, too.
			name:  "a program that may not be read",
			alone: true, outside: &entrance{Limits: []rlimit{both("NPROC", 30)}}, program: []string{"threads", "60"}, mode: 0o711,
			want: told{verdict: "refused", exit: 3, errno: "EAGAIN", cause: "rlimit-nproc", how: diagnose.Is},
		},
		{
			name:  "a program that is not dumpable",
			alone: true, outside: &entrance{Limits: []rlimit{both("NPROC", 30)}}, program: []string{"threads", "60", "undumpable"},
			// The flags of clone3 are in memory that may not be read.
			want: told{verdict: "refused", exit: 3, cause: "rlimit-nproc", how: diagnose.Is, says: []string{"a new thread"}},
		},
		{
			name:  "attached after the refusal",
			alone: true, outside: &entrance{Limits: []rlimit{both("NPROC", 20)}}, before: []string{"later"}, attach: true, stop: true,
			want: told{verdict: "exhausted", exit: 1, cause: "rlimit-nproc", how: diagnose.Next},
		},
		{
			name:  "a setuid program",
			alone: true, program: []string{play, "whoami"}, mode: 0o4755,
			// It gets its user, so it is not traced.
			want: told{verdict: "unknown", exit: 0, says: []string{"set-user-ID"}},
		},
	}
}

func groupCases() []situation {
	return []situation{
		{
			name: "a full control group",
			pids: 40, below: true, program: []string{play, "crowd", "60"},
			want: told{verdict: "refused", exit: 2, call: "clone", want: diagnose.Thread, errno: "EAGAIN", cause: "cgroup-pids", how: diagnose.Is},
		},
		{
			name: "jobs by vfork",
			pids: 25, program: []string{"vfork"},
			want: told{verdict: "refused", exit: 6, want: diagnose.Process, errno: "EAGAIN", cause: "cgroup-pids", how: diagnose.Is},
		},
		{
			name: "a 32-bit program",
			pids: 40, program: []string{"crowd32"},
			want: told{verdict: "refused", exit: 2, call: "clone", want: diagnose.Thread, errno: "EAGAIN", cause: "cgroup-pids", how: diagnose.Is},
		},
		{
			name: "a harmless error before the refusal",
			pids: 40, program: []string{"early"},
			want: told{verdict: "refused", exit: 3, want: diagnose.Thread, errno: "EAGAIN", cause: "cgroup-pids", how: diagnose.Is},
		},
		{
			name: "a refusal that was coped with, and another end",
			pids: 40, program: []string{play, "maxthreads"},
			want: told{verdict: "refused", exit: 2, cause: "go-max-threads", how: diagnose.Is},
		},
		{
			// The later success does not make up for the workers that are missing.
			name: "a pool that stays too small",
			pids: 30, before: []string{"pool"}, attach: true,
			want: told{verdict: "refused", exit: 1, errno: "EAGAIN", cause: "cgroup-pids", how: diagnose.Is},
		},
		{
			name: "a cgroup namespace with the mounts of another",
			pids: 30, outside: &entrance{Unshared: syscall.CLONE_NEWCGROUP}, program: []string{"threads", "60"},
			want: told{verdict: "refused", exit: 3, errno: "EAGAIN", cause: "cgroup-unseen"},
		},
		{
			name: "a chroot without /proc",
			pids: 25, outside: &entrance{Root: itsRoot}, program: []string{play, "crowd", "60"},
			want: told{verdict: "refused", exit: 2, errno: "EAGAIN", cause: "nothing-read", says: []string{"/proc"}},
		},
		{
			// As docker run -v mapstack:/mapstack --entrypoint /mapstack IMAGE makes it: mapstack
			// is PID 1, and there is no other file than it and the program.
			name: "a container with nothing but mapstack and the program",
			pids: 40, outside: &entrance{Within: &entrance{New: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWCGROUP, Root: itsRoot, Mounted: true}},
			program: []string{play, "crowd", "60"},
			want:    told{verdict: "refused", exit: 2, call: "clone", want: diagnose.Thread, errno: "EAGAIN", cause: "cgroup-pids", how: diagnose.Is},
		},
		{
			// The program ends, and what it leaves behind is refused a thread a second later.
			name: "a daemon",
			pids: 40, program: []string{"daemon"}, later: true,
			want: told{verdict: "refused", exit: 0, want: diagnose.Thread, errno: "EAGAIN", cause: "cgroup-pids", how: diagnose.Is},
		},
		{
			// A first process that does not wait for its children: raising the limit only
			// defers the end.
			name: "zombies fill the group",
			pids: 30, program: []string{play, "zombies"},
			want: told{verdict: "refused", exit: 6, want: diagnose.Process, cause: "cgroup-pids", how: diagnose.Is,
				says: []string{"zombie", "have ended", "not waited"}},
		},
		{
			// A launcher moves a program without threads to its memory group.
			name:   "killed in a group that it was moved to",
			memory: 60 << 20, moved: true, program: []string{play, "eat"},
			want: told{verdict: "refused", exit: 128 + int(syscall.SIGKILL), cause: "cgroup-memory", how: diagnose.Is},
		},
		{
			name:   "killed in its memory group",
			memory: 100 << 20, program: []string{play, "eat"},
			want: told{verdict: "refused", exit: 128 + int(syscall.SIGKILL), cause: "cgroup-memory", how: diagnose.Is},
		},
		{
			name:   "the child of a script is killed in its memory group",
			memory: 60 << 20, below: true, program: []string{play, "script", "self", play, "eat"},
			want: told{verdict: "refused", exit: 0, cause: "cgroup-memory", how: diagnose.Is},
		},
	}
}

func memoryCases() []situation {
	return []situation{
		{
			// glibc maps a stack without rights, which passes, and mprotect answers ENOMEM.
			// pthread_create turns that into EAGAIN.
			name:   "RLIMIT_DATA below stacks of glibc",
			inside: &entrance{Limits: []rlimit{both("DATA", 40000<<10)}}, program: []string{"threads", "20"},
			want: told{verdict: "refused", exit: 3, call: "mprotect", errno: "ENOMEM", cause: "rlimit-data", how: diagnose.Is},
		},
		{
			name:   "RLIMIT_DATA of a cgo program",
			inside: &entrance{Limits: []rlimit{both("DATA", 100000<<10)}}, program: []string{"cgo"},
			want: told{verdict: "refused", exit: anyExit, errno: "ENOMEM", cause: "rlimit-data", how: diagnose.Is, never: []string{"passing"}},
		},
		{
			// The limit is the size of every thread's stack.
			name:   "stacks of 95 GiB",
			inside: &entrance{Limits: []rlimit{both("STACK", 100000000<<10)}}, program: []string{"threads", "3"},
			want: told{verdict: "refused", exit: 3, errno: "ENOMEM", cause: "rlimit-stack", how: diagnose.Is},
		},
		{
			// Here it is mmap that refuses.
			name:   "stacks of more addresses than there are",
			inside: &entrance{Limits: []rlimit{both("STACK", 10000000000000<<10)}}, program: []string{"threads", "3"},
			want: told{verdict: "refused", exit: 3, errno: "ENOMEM", cause: "rlimit-stack", how: diagnose.Is},
		},
		{
			name:   "a small address space",
			inside: &entrance{Limits: []rlimit{both("AS", 100<<20)}}, program: []string{play, "crowd", "5"},
			want: told{verdict: "refused", exit: 2, errno: "ENOMEM", cause: "rlimit-as", how: diagnose.Is},
		},
		{
			// The Go runtime could not begin, and mapstack says so before it.
			name:    "mapstack in a small address space",
			outside: &entrance{Limits: []rlimit{both("AS", 1<<30)}}, program: []string{play, "true"},
			want: told{exit: 69, output: "RLIMIT_AS"},
		},
		{
			name:  "locked memory",
			alone: true, inside: &entrance{Limits: []rlimit{both("MEMLOCK", 64<<10)}}, program: []string{"threads", "5", "locked"},
			want: told{verdict: "refused", exit: 3, call: "mmap", want: diagnose.Memory, errno: "EAGAIN", cause: "memlock"},
		},
		{
			// An allocator looks for a free place. Each refusal cost a census of the machine
			// once; how often one is taken is tested in diagnose.
			name:    "300 mappings that are refused",
			program: []string{play, "mappings"},
			want:    told{verdict: "fine", exit: 0},
		},
		{
			name: "overcommit",
			own:  true, outside: &entrance{Write: map[string]string{"/proc/sys/vm/overcommit_memory": "2"}}, program: []string{"threads", "3000"},
			want: told{verdict: "refused", exit: 3, errno: "ENOMEM", cause: "overcommit", how: diagnose.Is},
		},
	}
}

func filterCases() []situation {
	const kill = 0x80000000 // SECCOMP_RET_KILL_PROCESS
	return []situation{
		{
			name:   "a filter answers clone",
			inside: &entrance{Filter: &refusal{cloning(), trace.Error | 1}}, program: []string{play, "crowd", "5"},
			want: told{verdict: "refused", exit: 2, call: "clone", want: diagnose.Thread, errno: "EPERM", cause: "seccomp", how: diagnose.Is},
		},
		{
			// Container engines of before 2021 do not know clone3, which not every C library calls.
			name: "a filter answers clone3 with EPERM",
			some: true, inside: &entrance{Filter: &refusal{[]string{"clone3"}, trace.Error | 1}}, program: []string{"threads", "5"},
			want: told{verdict: "refused", exit: 3, call: "clone3", want: diagnose.Thread, errno: "EPERM", cause: "seccomp", how: diagnose.Is},
		},
		{
			// Newer ones make the C library fall back to clone.
			name:   "a filter answers clone3 with ENOSYS",
			inside: &entrance{Filter: &refusal{[]string{"clone3"}, trace.Error | 38}}, program: []string{"threads", "5"},
			want: told{exit: 0, never: []string{"security-module"}},
		},
		{
			name:   "a filter ends the program",
			inside: &entrance{Filter: &refusal{cloning(), kill}}, program: []string{"threads", "3"},
			want: told{verdict: "refused", exit: 128 + int(syscall.SIGSYS), call: "clone*", cause: "seccomp-kill", how: diagnose.Is},
		},
		{
			name:    "a filter ends the child of a script",
			program: []string{play, "script", "self", play, "enter", `{"Filter":{"Calls":["clone","clone3"],"Answer":2147483648}}`, "threads", "3"},
			want:    told{verdict: "refused", exit: 0, call: "clone*", cause: "seccomp-kill", how: diagnose.Is},
		},
		{
			// The kernel shows a tracer the number of the call as its result.
			name:    "a handler answers for the kernel",
			program: []string{"trap"},
			want:    told{verdict: "refused", exit: 3, want: diagnose.Process, cause: "seccomp", how: diagnose.Is},
		},
		{
			// Diagnose listens, as it does where ptrace is refused.
			name:    "whoever calls ptrace is killed",
			outside: &entrance{Filter: &refusal{[]string{"ptrace"}, kill}}, program: []string{play, "crowd", "3"},
			want: told{verdict: "unknown", exit: 0},
		},
		{
			// Only an ancestor of the program may trace it, or who is named.
			name: "Yama lets ancestors trace",
			own:  true, alone: true, outside: &entrance{Write: map[string]string{ptraceScope: "1"}, Limits: []rlimit{both("NPROC", 30)}}, program: []string{"threads", "60"},
			want: told{verdict: "refused", exit: 3, errno: "EAGAIN", cause: "rlimit-nproc", how: diagnose.Is},
		},
		{
			name: "Yama lets only root trace",
			own:  true, alone: true, outside: &entrance{Write: map[string]string{ptraceScope: "2"}}, program: []string{play, "crowd", "3"},
			want: told{verdict: "unknown", exit: 0, says: []string{"ptrace_scope is 2"}},
		},
		{
			name:    "below a tracer LeakSanitizer fails",
			program: []string{"sanitizer"},
			want:    told{exit: anyExit, gap: watch.Tracer},
		},
		{
			// docker run: the client is no cause of what the program that it started says.
			name:    "the words of a program elsewhere",
			program: []string{play, "client"},
			want:    told{exit: 2, cause: "elsewhere", never: []string{"security-module"}},
		},
	}
}

func namespaceCases() []situation {
	return []situation{
		{
			name:    "no user namespace is left",
			outside: &entrance{New: syscall.CLONE_NEWUSER, Write: map[string]string{"/proc/sys/user/max_user_namespaces": "0"}}, program: []string{play, "box"},
			want: told{verdict: "refused", exit: 6, errno: "ENOSPC", cause: "max-namespaces", how: diagnose.Is},
		},
		{
			// Root, with all capabilities. The kernel refuses it in a chroot.
			name:   "a user namespace in a chroot",
			inside: &entrance{Root: itsRoot}, program: []string{play, "box"},
			want: told{verdict: "refused", exit: 6, errno: "EPERM", cause: "namespace-chroot", how: diagnose.Is},
		},
		{
			// unshare -p PROGRAM, without --fork: the README's example.
			name:   "a PID namespace without a fork, and threads",
			inside: &entrance{Unshared: syscall.CLONE_NEWPID}, program: []string{play, "crowd", "5"},
			want: told{verdict: "refused", exit: 2, call: "clone", want: diagnose.Thread, errno: "EINVAL", cause: "pid-namespace", how: diagnose.Is,
				sentence: "unshare --fork"},
		},
		{
			// The same, for a program that starts others: the first is PID 1, and its end is the
			// end of the namespace.
			name:   "a PID namespace without a fork, and jobs",
			inside: &entrance{Unshared: syscall.CLONE_NEWPID}, program: []string{"jobs", "3"},
			want: told{verdict: "refused", exit: 6, want: diagnose.Process, errno: "ENOMEM", cause: "pid-namespace-dead", how: diagnose.Is,
				sentence: "unshare --fork"},
		},
		{
			name:   "SCHED_DEADLINE",
			inside: &entrance{Deadline: true}, program: []string{"threads", "3"},
			want: told{verdict: "refused", exit: 3, want: diagnose.Thread, errno: "EAGAIN", cause: "sched-deadline", how: diagnose.Is},
		},
		{
			name: "the whole machine has no task left",
			own:  true, outside: &entrance{Write: map[string]string{"/proc/sys/kernel/threads-max": "300"}}, program: []string{"threads", "400"},
			want: told{verdict: "refused", exit: 3, want: diagnose.Thread, errno: "EAGAIN", cause: "threads-max", how: diagnose.Is},
		},
		{
			name: "the whole machine has no number left",
			own:  true, outside: &entrance{Write: map[string]string{"/proc/sys/kernel/pid_max": "500"}}, program: []string{"threads", "600"},
			want: told{verdict: "refused", exit: 3, want: diagnose.Thread, errno: "EAGAIN", cause: "pid-max", how: diagnose.Is},
		},
		{
			name:    "nothing is refused",
			program: []string{play, "crowd", "40"},
			want:    told{verdict: "fine", exit: 0},
		},
	}
}
