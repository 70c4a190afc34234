package defect

import (
	"path"
	"strconv"
	"strings"
)

const (
	infinity = ^uint64(0) // RLIM64_INFINITY (include/uapi/linux/resource.h)
	// manyBytes is more than a program maps incidentally.
	manyBytes = 64 << 20

	overcommit = "/proc/sys/vm/overcommit_memory"
)

// written returns the file and the number that a call writes. ok is false if the
// text is not a number. Numbers written to terminals and pipes do no harm: their
// paths are those of no limit.
func (c *Call) written() (file string, n int, ok bool) {
	n, err := strconv.Atoi(strings.TrimSpace(c.Text(c.Args[buffer], c.Args[size])))
	return c.Path(c.Args[fd]), n, err == nil
}

// offByOne returns a rule by which a lowered limit becomes one more than was
// written. A raised limit, for example a restored one, gets the written value.
func offByOne(limit string) func(c *Call) {
	return func(c *Call) {
		file, n, ok := c.written()
		if !ok || path.Base(file) != limit {
			return
		}
		if was, err := strconv.Atoi(c.File(file)); err != nil || n < was {
			c.Put(file, strconv.Itoa(n+1))
			c.pretend(c.Args[size])
		}
	}
}

var writes = []string{"write", "pwrite64"}

// counts returns the defects of limits: how they count, for whom, and what happens
// when they are reached.
func counts() []Model {
	return append(append(processCounts(), machineCounts()...), memoryCounts()...)
}

// processCounts returns defects of RLIMIT_NPROC, and of refusals by any limit.
func processCounts() []Model {
	return []Model{
		{
			Name: "nproc-off-by-one", Calls: []string{"prlimit64"},
			English: "RLIMIT_NPROC lets a user have one process more than it says.",
			Chinese: "RLIMIT_NPROC 允许用户比规定多一个进程。",
			Act: func(c *Call) {
				if at := c.Args[newLimit]; at != 0 && c.Args[resource] == c.Kernel.Rlimit.NProc {
					// struct rlimit64 has the soft limit first. The hard limit follows,
					// which the soft one must not exceed.
					n := c.Word(at)
					if n == infinity {
						return
					}
					c.Store(at, n+1)
					if c.Word(at+8) == n {
						c.Store(at+8, n+1)
					}
				}
			},
		},
		{
			Name: "nproc-exempts-nobody", Calls: clone,
			English: "RLIMIT_NPROC concerns root, and users with CAP_SYS_RESOURCE or CAP_SYS_ADMIN, as it concerns anybody.",
			Chinese: "RLIMIT_NPROC 对 root 以及具有 CAP_SYS_RESOURCE 或 CAP_SYS_ADMIN 的用户，与对任何人一样起作用。",
			Act: func(c *Call) {
				// A process that clones under a limit of 1 has reached it.
				if c.SoftLimit(c.Kernel.Rlimit.NProc) <= 1 {
					c.refuse("EAGAIN")
				}
			},
			Unserved: needsFirst,
		},
		{
			Name: "nproc-exempts-namespace-root", Calls: []string{"prlimit64"},
			English: "Whoever is in a user namespace is exempt from RLIMIT_NPROC.",
			Chinese: "处于 user namespace 中的任何人都不受 RLIMIT_NPROC 约束。",
			Act: func(c *Call) {
				if at := c.Args[newLimit]; at != 0 && c.Args[resource] == c.Kernel.Rlimit.NProc && c.InUserNamespace() {
					c.Store(at, c.Word(at+8))
				}
			},
		},
		{
			Name: "nproc-forgets-the-dead", Calls: clone,
			English: "A process that has ended no longer counts against RLIMIT_NPROC, although nobody has waited for it.",
			Chinese: "已结束的进程即使尚未被 wait，也不再计入 RLIMIT_NPROC。",
			Act: func(c *Call) {
				if c.UID() == 0 {
					return // the limit does not bind root
				}
				nproc, notes := c.Kernel.Rlimit.NProc, c.Notes()
				if _, noted := notes["nproc"]; !noted {
					notes["nproc"] = c.SoftLimit(nproc)
				}
				if limit := notes["nproc"]; limit != infinity {
					c.SetSoftLimit(nproc, limit+uint64(c.Dead()))
				}
			},
		},
		{
			Name: "exec-forgets-nproc", Calls: []string{"execve"},
			English: "execve does not notice that the process became a user with more processes than RLIMIT_NPROC.",
			Chinese: "execve 不会发现进程已切换到进程数超过 RLIMIT_NPROC 的用户。",
			Act:     func(c *Call) { c.SetSoftLimit(c.Kernel.Rlimit.NProc, infinity) },
		},
		{
			Name: "refusal-is-final", Calls: []string{"clone", "execve"},
			English: "A process that has children and met a limit in clone or execve is refused for ever, whatever becomes free.",
			Chinese: "有子进程的进程一旦在 clone 或 execve 中达到限制，无论释放了什么，此后一直被拒绝。",
			Act: func(c *Call) {
				notes := c.Notes()
				if notes["refused"] != 0 {
					c.refuse("EAGAIN")
					return
				}
				if c.Name == "clone" && notes["made"] == 0 {
					// If nothing was made before, the refusal did not come from a limit
					// that was reached.
					c.answer = func(r Result) Result {
						if r.Errno == 0 {
							notes["made"] = 1
						}
						return r
					}
					return
				}
				c.notice(func() { notes["refused"] = 1 }, "EAGAIN", "ENOMEM", "ENOSPC")
			},
			Unserved: needsFirst,
		},
		{
			Name: "deadline-unrestrained", Calls: []string{"sched_setattr"},
			English: "sched_setattr reports success and leaves a thread without a deadline, so that it can clone.",
			Chinese: "sched_setattr 报告成功，但线程并没有获得 deadline，因此仍可 clone。",
			Act:     func(c *Call) { c.pretend(0) },
		},
		{
			Name: "deadline-never-reset", Calls: []string{"sched_setattr"},
			English: "sched_setattr ignores SCHED_FLAG_RESET_ON_FORK.",
			Chinese: "sched_setattr 忽略 SCHED_FLAG_RESET_ON_FORK。",
			Act: func(c *Call) {
				// struct sched_attr has size and policy, then the flags.
				if at := c.Args[1]; at != 0 {
					c.Store(at+8, c.Word(at+8)&^1)
				}
			},
		},
		{
			Name: "clone-enomem-is-eagain", Calls: clone,
			English: "clone reports a lack of memory, and a dead PID namespace, as EAGAIN.",
			Chinese: "clone 把内存不足以及失效的 PID namespace 报告为 EAGAIN。",
			Act:     func(c *Call) { c.report("ENOMEM", "EAGAIN") },
		},
	}
}

// machineCounts returns defects of sysctls and control groups.
func machineCounts() []Model {
	return []Model{
		{
			Name: "threads-max-off-by-one", Calls: writes,
			English: "kernel.threads-max lets the machine have one thread more than it says.",
			Chinese: "kernel.threads-max 允许系统比规定多一个线程。",
			Act:     offByOne("threads-max"),
		},
		{
			Name: "pid-max-off-by-one", Calls: writes,
			English: "clone gives the ID that is kernel.pid_max, which no process may have.",
			Chinese: "clone 会分配等于 kernel.pid_max 的 ID，而任何进程都不应得到它。",
			Act:     offByOne("pid_max"),
		},
		{
			Name: "pids-max-off-by-one", Calls: writes,
			English: "pids.max lets a group have one process more than it says.",
			Chinese: "pids.max 允许控制组比规定多一个进程。",
			Act:     offByOne("pids.max"),
		},
		{
			Name: "map-count-off-by-one", Calls: writes,
			English: "vm.max_map_count lets a process have one mapping more than it should.",
			Chinese: "vm.max_map_count 允许进程比规定多一个映射。",
			Act:     offByOne("max_map_count"),
		},
		{
			Name: "user-namespaces-off-by-one", Calls: writes,
			English: "user.max_user_namespaces lets a user have one more than it says.",
			Chinese: "user.max_user_namespaces 允许用户比规定多一个 user namespace。",
			Act:     offByOne("max_user_namespaces"),
		},
		{
			Name: "limits-of-any-number", Calls: writes,
			English: "kernel.threads-max, kernel.pid_max and pids.max accept numbers that make no sense.",
			Chinese: "kernel.threads-max、kernel.pid_max 和 pids.max 接受无意义的数值。",
			Act: func(c *Call) {
				file, _, ok := c.written()
				switch path.Base(file) {
				case "threads-max", "pid_max", "pids.max":
					if ok {
						c.replace("EINVAL", Result{Value: c.Args[size]})
					}
				}
			},
		},
		{
			Name: "pids-max-never-lowered", Calls: writes,
			English: "pids.max is not lowered below what the group has.",
			Chinese: "pids.max 不会被降到低于控制组现有的进程数。",
			Act: func(c *Call) {
				file, n, ok := c.written()
				if !ok || path.Base(file) != "pids.max" {
					return
				}
				if now, err := strconv.Atoi(c.File(path.Join(path.Dir(file), "pids.current"))); err == nil && n >= 0 && n < now {
					c.pretend(c.Args[size])
				}
			},
		},
		{
			Name: "pids-events-silent", Calls: []string{"read"},
			English: "pids.events counts no refusals.",
			Chinese: "pids.events 不统计拒绝次数。",
			Act: func(c *Call) {
				if path.Base(c.Path(c.Args[fd])) != "pids.events" {
					return
				}
				at := c.Args[buffer]
				c.answer = func(r Result) Result {
					text := []byte(c.Text(at, r.Value))
					for i, b := range text {
						if '0' <= b && b <= '9' {
							text[i] = '0'
						}
					}
					c.SetText(at, string(text))
					return r
				}
			},
		},
	}
}

// memoryCounts returns defects of limits on memory and mappings.
func memoryCounts() []Model {
	return []Model{
		{
			Name: "clone-refused-without-room", Calls: clone,
			English: "clone is refused with ENOMEM in a process that has an RLIMIT_AS or RLIMIT_DATA.",
			Chinese: "在设有 RLIMIT_AS 或 RLIMIT_DATA 的进程中，clone 以 ENOMEM 拒绝。",
			Act: func(c *Call) {
				if l := c.Kernel.Rlimit; c.SoftLimit(l.AS) != infinity || c.SoftLimit(l.Data) != infinity {
					c.refuse("ENOMEM")
				}
			},
			Unserved: needsFirst,
		},
		{
			Name: "data-counts-everything", Calls: mmap,
			English: "Under RLIMIT_DATA mmap refuses read-only, inaccessible, shared and growing mappings with ENOMEM as well.",
			Chinese: "设有 RLIMIT_DATA 时，mmap 对只读、不可访问、共享和可增长的映射也以 ENOMEM 拒绝。",
			Act: func(c *Call) {
				m := c.Kernel.Map
				counted := c.Args[prot]&c.Kernel.Prot.Write != 0 && c.mapType() == m.Private && !c.has(m.GrowsDown)
				if !counted && c.SoftLimit(c.Kernel.Rlimit.Data) != infinity {
					c.refuse("ENOMEM")
				}
			},
		},
		{
			Name: "stack-limit-counts-mappings", Calls: mmap,
			English: "mmap refuses MAP_STACK and MAP_GROWSDOWN beyond RLIMIT_STACK with ENOMEM.",
			Chinese: "mmap 以 ENOMEM 拒绝超过 RLIMIT_STACK 的 MAP_STACK 和 MAP_GROWSDOWN 映射。",
			Act: func(c *Call) {
				m := c.Kernel.Map
				if c.has(m.Stack|m.GrowsDown) && c.Args[length] > c.SoftLimit(c.Kernel.Rlimit.Stack) {
					c.refuse("ENOMEM")
				}
			},
		},
		{
			Name: "no-room-is-final", Calls: mmap,
			English: "A process to which mmap reported ENOMEM gets no further mapping, whatever it gives back.",
			Chinese: "mmap 一旦对进程返回 ENOMEM，无论进程归还什么，都不再得到新的映射。",
			Act: func(c *Call) {
				notes := c.Notes()
				if notes["refused"] != 0 {
					c.refuse("ENOMEM")
					return
				}
				c.notice(func() { notes["refused"] = 1 }, "ENOMEM")
			},
		},
		{
			Name: "mprotect-never-enomem", Calls: mprotect,
			English: "mprotect reports success where it lacks memory, or room for another mapping.",
			Chinese: "mprotect 在内存不足或映射数已满时仍报告成功。",
			Act:     func(c *Call) { c.replace("ENOMEM", Result{}) },
		},
		{
			Name: "overcommit-0-without-limit", Calls: mmap,
			English: "Under vm.overcommit_memory 0 mmap makes every mapping, however large.",
			Chinese: "vm.overcommit_memory 为 0 时，无论多大的映射 mmap 都会建立。",
			Act: func(c *Call) {
				if c.Args[length] >= manyBytes && c.File(overcommit) == "0" {
					c.Args[flags] |= c.Kernel.Map.NoReserve
				}
			},
		},
		{
			Name: "overcommit-1-limited", Calls: mmap,
			English: "Under vm.overcommit_memory 1 mmap refuses large mappings with ENOMEM.",
			Chinese: "vm.overcommit_memory 为 1 时，mmap 以 ENOMEM 拒绝大的映射。",
			Act: func(c *Call) {
				if c.Args[length] >= manyBytes && c.File(overcommit) == "1" {
					c.refuse("ENOMEM")
				}
			},
		},
		{
			Name: "overcommit-2-is-1", Calls: writes,
			English: "vm.overcommit_memory accepts 2 and does as with 1.",
			Chinese: "vm.overcommit_memory 接受 2，但行为与 1 相同。",
			Act: func(c *Call) {
				if file, n, ok := c.written(); ok && n == 2 && file == overcommit {
					c.Put(file, "1")
					c.pretend(c.Args[size])
				}
			},
		},
		{
			Name: "overcommit-2-counts-shared", Calls: clone,
			English: "Under vm.overcommit_memory 2 clone refuses with ENOMEM to share memory, as if it were copied.",
			Chinese: "vm.overcommit_memory 为 2 时，clone 以 ENOMEM 拒绝共享内存，如同需要复制一样。",
			Act: func(c *Call) {
				if c.cloneFlags()&cloneVM != 0 && c.File(overcommit) == "2" {
					c.refuse("ENOMEM")
				}
			},
			Unserved: needsFirst,
		},
	}
}
