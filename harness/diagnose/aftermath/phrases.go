package aftermath

import (
	"bytes"
	"regexp"
	"strconv"
	"sync"

	"github.com/mapstack/conformance/harness/diagnose/fatal"
	"github.com/mapstack/conformance/poc/abi"
)

// phrase is how somebody tells of a refusal.
type phrase struct {
	kind    Kind
	speaker string
	library bool
	// sign is a part that every such line has. It is looked for first, because a search
	// for bytes costs little.
	sign string
	line *regexp.Regexp
}

// message matches what the C libraries write for the errors that matter, in English and
// Chinese.
const message = `(?P<message>[Rr]esource temporarily unavailable|[Cc]annot allocate memory|[Oo]ut of memory|[Oo]peration not permitted|[Ii]nvalid argument|[Nn]o space left on device|[Ff]unction not implemented|资源暂时不可用|无法分配内存|不允许的操作|无效的参数|设备上没有空间|函数未实现)`

// nameOf returns the name of the error that a message is for.
func nameOf(message string) string {
	for _, m := range []struct{ part, name string }{
		{"emporarily", "EAGAIN"}, {"资源", "EAGAIN"}, {"llocate", "ENOMEM"}, {"ut of memory", "ENOMEM"}, {"内存", "ENOMEM"},
		{"permitted", "EPERM"}, {"不允许", "EPERM"}, {"argument", "EINVAL"}, {"参数", "EINVAL"}, {"space", "ENOSPC"}, {"空间", "ENOSPC"},
		{"implemented", "ENOSYS"}, {"未实现", "ENOSYS"},
	} {
		if bytes.Contains([]byte(message), []byte(m.part)) {
			return m.name
		}
	}
	return ""
}

func is(kind Kind, speaker, sign, line string) phrase {
	return phrase{kind, speaker, false, sign, regexp.MustCompile(line)}
}

// byLibrary is a phrase of a thread that a C library made.
func byLibrary(speaker, sign, line string) phrase {
	return phrase{Thread, speaker, true, sign, regexp.MustCompile(line)}
}

// phrases are tried in this order. Those of the Go runtime are in package fatal. They are
// compiled when a log is read, since that takes longer than the rest of many a command.
var phrases = sync.OnceValue(func() []phrase {
	return []phrase{
		// The kernel's log (kernel/cgroup/pids.c, mm/oom_kill.c, kernel/audit*.c).
		is(FullGroup, kernel, "fork rejected by pids controller", `cgroup: fork rejected by pids controller in (?P<group>\S+)`),
		is(KilledInGroup, kernel, "oom-kill:constraint=", `oom-kill:constraint=CONSTRAINT_MEMCG,.*oom_memcg=(?P<group>[^,]+),.*task=(?P<name>[^,]*),pid=`),
		is(Killed, kernel, "oom-kill:constraint=", `oom-kill:constraint=(?:CONSTRAINT_NONE|CONSTRAINT_CPUSET|CONSTRAINT_MEMORY_POLICY),.*task=(?P<name>[^,]*),pid=`),
		is(KilledInGroup, kernel, "killed as a result of limit of", `killed as a result of limit of (?P<group>\S+)`), // before 4.19
		is(KilledInGroup, kernel, "out of memory: Kill", `Memory cgroup out of memory: Kill(?:ed)? process \d+ \((?P<name>[^)]*)\)`),
		is(Killed, kernel, "Out of memory: Kill", `Out of memory: Kill(?:ed)? process \d+ \((?P<name>[^)]*)\)`),
		is(Filtered, kernel, "syscall=", `type=(?:1326|SECCOMP)\b.*comm=(?P<name>"[^"]*"|[0-9A-F]+).*sig=31 arch=(?P<arch>[0-9a-f]+) syscall=(?P<call>\d+)`),
		// systemd and container engines.
		is(Killed, "systemd", "oom-kill", `(?P<name>[^\s:]+\.(?:service|scope)): Failed with result 'oom-kill'`),
		is(Killed, "systemd", "killed by the OOM killer", `(?P<name>[^\s:]+\.(?:service|scope)): A process of this unit has been killed by the OOM killer`),
		is(Filtered, "systemd", "31/SYS", `(?P<name>[^\s:]+\.service): .*status=31/SYS`),
		is(Killed, "systemd", "9/KILL", `(?P<name>[^\s:]+\.service): .*status=9/KILL`),
		is(KilledInGroup, "Kubernetes", "OOMKilled", `\bOOMKilled\b`),
		is(Process, "a container runtime", "OCI runtime", `OCI runtime .*`+message),
		// Languages.
		byLibrary("Java", "pthread_create failed (", `pthread_create failed \((?P<errno>E[A-Z]+)\)`),
		byLibrary("Java", "native thread", `OutOfMemoryError: unable to create (?:new )?native thread`),
		byLibrary("Java", "GC thread", `Cannot create (?:worker )?GC thread\. Out of system resources`),
		is(Memory, "Java", "os::commit_memory", `os::commit_memory\(.*\(errno=(?P<number>\d{1,4})\)`),
		is(Memory, "Java", "Native memory allocation", `Native memory allocation \(m(?:map|alloc)\) failed`),
		byLibrary("Python", "can't start new thread", `RuntimeError: can't start new thread`),
		is(Process, "Python", "BlockingIOError: [Errno", `BlockingIOError: \[Errno (?P<number>\d{1,4})\]`),
		is(Process, "Python", "OSError: [Errno 12]", `OSError: \[Errno (?P<number>12)\]`),
		is(Memory, "Python", "MemoryError", `^MemoryError\b`),
		is(Process, "Node", "Error: spawn", `Error: spawn \S+ (?P<errno>E[A-Z]+)`),
		byLibrary("Node", "uv_thread_create", `Assertion .*uv_thread_create`),
		byLibrary("Node", "Worker initialization failure", `Worker initialization failure: (?P<errno>E[A-Z]+)`),
		byLibrary("Ruby", "can't create Thread", `can't create Thread: `+message),
		is(Process, "Ruby", "- fork(2)", message+` - fork\(2\)`),
		byLibrary("Rust", "failed to spawn thread", `failed to spawn thread: Os \{ code: (?P<number>\d{1,4})`),
		byLibrary("Rust", "(os error ", `spawn .*thread.*\(os error (?P<number>\d{1,4})\)`),
		byLibrary("C++", "what():", `what\(\): +`+message),
		byLibrary("OpenMP", "libgomp:", `libgomp: Thread creation failed: `+message),
		// SIGSYS, as Go and shells tell it.
		is(Filtered, "Go", "SIGSYS: bad system call", `SIGSYS: bad system call`),
		is(Filtered, "a shell", "ad system call", `\b[Bb]ad system call\b`),
		is(Killed, "a container engine", "137", `\b[Ee]xit(?:ed)?(?: with)?(?: (?:code|status))?[ :(=]+137\b`),
		is(Filtered, "a container engine", "159", `\b[Ee]xit(?:ed)?(?: with)?(?: (?:code|status))?[ :(=]+159\b`),
		// Everybody else: a word for the call, and the C library's message.
		byLibrary("a program", "thread", `(?i:pthread_create|thread[a-z_]* creat\w*|creat\w* [a-z ]{0,30}thread|new thread|spawn\w* [a-z ]{0,30}thread).*?`+message),
		is(Namespace, "a program", "namespace", `namespaces?\b.*?`+message),
		is(Namespace, "a program", "unshare", `\bunshare(?:\(|: unshare).*?`+message),
		is(Program, "a program", "user", `(?:cannot set user id|set ?uid|setuid).*?`+message),
		is(Program, "a program", "exec", `\bexec\w*.*?`+message),
		is(Process, "a program", "fork", `v?fork.*?`+message),
		is(Process, "a program", "clone", `\bclone3?\b.*?`+message),
		is(Process, "a program", "spawn", `spawn.*?`+message),
		is(Process, "make", "make", `\bmake(?:\[\d+\])?: .*?`+message),
		is(Process, "a shell", "annot fork", `\b[Cc]annot fork\b`),
	}
})

// recognised reads one line. errno numbers are those of an architecture's table.
func recognised(all []phrase, line []byte, table abi.Table) (Word, bool) {
	if t, ok := fatal.Recognise(line); ok {
		return ofGo(t, table), true
	}
	for _, p := range all {
		if !bytes.Contains(line, []byte(p.sign)) {
			continue
		}
		m := p.line.FindSubmatch(line)
		if m == nil {
			continue
		}
		w := Word{Kind: p.kind, Speaker: p.speaker, Library: p.library}
		for i, group := range p.line.SubexpNames() {
			w.fill(group, string(m[i]), table)
		}
		return w, true
	}
	return Word{}, false
}

// fill takes a part of a line.
func (w *Word) fill(part, text string, table abi.Table) {
	switch part {
	case "message":
		w.Errno = nameOf(text)
	case "errno":
		w.Errno = text
	case "number":
		w.Number, _ = strconv.Atoi(text)
		w.Errno = table.ErrnoName(w.Number)
	case "name":
		w.Name = string(bytes.Trim([]byte(text), `"`))
	case "group":
		w.Group = text
	case "call":
		w.Call, _ = strconv.ParseUint(text, 10, 32)
	case "arch":
		w.Arch, _ = strconv.ParseUint(text, 16, 32)
	}
}

// ofGo makes a word of the Go runtime's.
func ofGo(t fatal.Text, table abi.Table) Word {
	w := Word{Speaker: "Go", Have: t.Have, Number: t.Errno}
	if t.Errno != 0 {
		w.Errno = table.ErrnoName(t.Errno)
	}
	switch t.Kind {
	case fatal.Thread:
		w.Kind = Thread
	case fatal.CgoThread:
		w.Kind, w.Speaker, w.Library, w.Errno = Thread, "cgo", true, nameOf(t.Reason)
	case fatal.TooManyThreads:
		w.Kind = MaxThreads
	case fatal.LockedMemory:
		w.Kind, w.Errno = Memory, "EAGAIN"
	case fatal.Denied:
		w.Kind, w.Errno = Memory, "EACCES"
	default:
		w.Kind, w.Errno = Memory, "ENOMEM"
	}
	return w
}
