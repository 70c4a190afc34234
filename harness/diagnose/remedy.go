package diagnose

import (
	"fmt"
	"math/bits"

	"github.com/mapstack/conformance/harness/diagnose/census"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/language"
)

// Remedy is a command, or a line of a file, that removes a cause. Without a command
// When says what to do.
type Remedy struct {
	Command string `json:"command"`
	When    Text   `json:"when"`
	running bool   // it helps only a program that still runs
}

// In returns the remedy as one line.
func (r Remedy) In(l language.Language) string {
	if r.Command == "" {
		return r.When.In(l)
	}
	return r.Command + "    # " + r.When.In(l)
}

// words are part of a command, and need no quotes.
type words string

// run makes a remedy. The format is of the command. Strings are quoted for a shell.
func run(when Text, format string, args ...any) Remedy {
	for i, a := range args {
		if word, is := a.(string); is {
			args[i] = foreign.Shell(word)
		}
	}
	return Remedy{Command: fmt.Sprintf(format, args...), When: when}
}

// running makes a remedy that helps only while the program runs.
func running(format string, args ...any) Remedy {
	r := run(now(), format, args...)
	r.running = true
	return r
}

// onGroup makes a remedy whose command names a control group. Any user names groups
// freely below one of their own. Root gets no command with a name that only quotes keep
// from being run.
func onGroup(s census.Census, name string, r Remedy) Remedy {
	if foreign.Plain(name) || s.Observer.User != 0 || s.User.ID == 0 {
		return r
	}
	return Remedy{When: r.When.and(say(": no command is given, because user %[1]d chose a name that a shell may take for one: %[2]s",
		"：不给出命令，因为用户 %[1]d 所取的名字可能被 shell 当作命令：%[2]s", s.User.ID, name)), running: r.running}
}

func now() Text { return say("for what runs now", "对正在运行的程序") }

func before() Text { return say("in the shell that starts it", "在启动它的 shell 中") }

func asRoot() Text { return say(", as root", "，需要 root") }

func sysctl(name string, value uint64) Remedy {
	return run(say("for the whole machine, as root; in /etc/sysctl.d to keep it", "对整台机器，需要 root；写入 /etc/sysctl.d 可长期保留"),
		"sysctl -w %s=%d", name, value)
}

// double returns a limit that leaves room: the power of two that is at least twice
// what is used.
func double(used uint64) uint64 {
	const least = 1024
	const most = 1 << 61
	return max(least, uint64(1)<<bits.Len64(2*min(used, most)-1))
}

// raise raises a resource limit to n: for what runs, in a shell, and where it is set.
// The option is that of prlimit(1) and of limits.conf. The letter is that of ulimit, the
// directive that of systemd. The unit is that of ulimit and limits.conf, bytes.
type raise struct {
	option, letter, directive string
	unit                      uint64
	limit                     census.Limit
}

// to makes the remedies. Only root goes above the hard limit.
func (l raise) to(s census.Census, n uint64) []Remedy {
	shell := n / l.unit
	if hard := l.limit.Hard; hard.State == census.Exact && hard.N < n {
		above := say(", as root: the hard limit is %[1]s", "，需要 root：硬限制为 %[1]s", hard)
		list := []Remedy{running("prlimit --pid %d --%s=%d:%d", s.PID, l.option, n, n)}
		list[0].When = list[0].When.and(above)
		if hard.N >= 2*l.limit.Soft.N {
			list = append(list, run(before().and(say(", up to the hard limit", "，不超过硬限制")), "ulimit -S%s %d", l.letter, hard.N/l.unit))
		} else {
			list = append(list, run(before().and(above), "ulimit -%s %d", l.letter, shell))
		}
		return append(list, l.forGood(s, n)...)
	}
	return append([]Remedy{
		running("prlimit --pid %d --%s=%d:", s.PID, l.option, n),
		run(before(), "ulimit -S%s %d", l.letter, shell),
	}, l.forGood(s, n)...)
}

// forGood raises the limit where it is set: container runtimes, systemd and PAM set their
// own at each start.
func (l raise) forGood(s census.Census, n uint64) []Remedy {
	const unknown = "as" // to docker and podman
	switch unit := serviceOf(s); {
	case (s.Container == "docker" || s.Container == "podman") && l.option != unknown:
		return []Remedy{run(say("when the container is started", "启动容器时"), "%s run --ulimit %s=%d ...", s.Container, l.option, n)}
	case s.Container == "kubernetes":
		return []Remedy{run(say("on the node, in the unit of its container runtime: a pod cannot set it", "在节点上，写入容器运行时的单元：Pod 无法设置它"),
			"systemctl edit containerd.service  # [Service] %s=%d", l.directive, n)}
	case s.Container == "lxc":
		return []Remedy{run(say("in the configuration of the container", "在容器的配置中"), "lxc.prlimit.%s = %d", l.option, n)}
	case unit != "":
		return []Remedy{run(say("in the unit", "写入单元"), "systemctl%s edit %s  # [Service] %s=%d", manager(s), unitWord(unit), l.directive, n)}
	}
	return []Remedy{run(say("for logins by PAM, in /etc/security/limits.conf, as root", "用于经 PAM 的登录，写入 /etc/security/limits.conf，需要 root"),
		":%d - %s %d", s.User.ID, l.option, n/l.unit)}
}

// raiseProcesses raises RLIMIT_NPROC.
func raiseProcesses(s census.Census) []Remedy {
	n := double(s.User.Tasks.N)
	if s.User.Processes.Soft.State == census.Exact {
		n = max(n, double(s.User.Processes.Soft.N))
	}
	return raise{"nproc", "u", "LimitNPROC", 1, s.User.Processes}.to(s, n)
}

// raisePids raises the limit of a group where it is set, because container runtimes
// and systemd write their own value again.
func raisePids(s census.Census, at int) []Remedy {
	g := s.Groups.Pids[at]
	n := double(g.Current.N)
	write := onGroup(s, g.Path, run(now().and(asRoot()), "echo %d > %s", n, g.MaxFile()))
	switch unit, id := unitOf(g.Path), containerOf(g.Path); {
	case id != "" && (s.Container == "docker" || s.Container == "podman"):
		return []Remedy{run(now(), "%s update --pids-limit %d %s", s.Container, n, id)}
	case s.Container == "kubernetes" && ofContainer(s, g.Path):
		return raiseOutside(s)
	case s.Container == "lxc" && lxcOf(g.Path) != "":
		return append([]Remedy{run(now().and(asRoot()), "lxc-cgroup -n %s pids.max %d", lxcOf(g.Path), n)}, raiseOutside(s)...)
	case unit != "":
		return []Remedy{onGroup(s, unit, run(say("for what runs now and later", "对正在运行的和以后的程序"), "systemctl%s set-property %s TasksMax=%d", manager(s), unitWord(unit), n))}
	case ofContainer(s, g.Path):
		return append(raiseOutside(s), write)
	}
	return []Remedy{write}
}

// raiseOutside raises a limit that is set outside of the container.
func raiseOutside(s census.Census) []Remedy {
	switch s.Container {
	case "kubernetes":
		return []Remedy{run(say("in the configuration of the node's kubelet", "在节点 kubelet 的配置中"), "podPidsLimit: 4096")}
	case "docker", "podman":
		return []Remedy{run(say("outside of the container", "在容器之外"), "%s update --pids-limit 4096 CONTAINER", s.Container)}
	case "lxc":
		return []Remedy{run(say("outside of the container, in its configuration", "在容器之外，写入其配置"), "lxc.cgroup2.pids.max = 4096")}
	}
	return []Remedy{run(say("outside of the container", "在容器之外"), "cat /sys/fs/cgroup/**/pids.max")}
}

// allow removes a filter, or shows it.
func allow(s census.Census, f Filters, call string) []Remedy {
	if call == "" {
		call = "SYSCALL"
	}
	shown := run(say("shows who installs a filter: the program itself, or what starts it", "显示过滤器由谁安装：程序自身，或启动它的程序"), "strace -f -e trace=seccomp,prctl PROGRAM")
	switch unit := serviceOf(s); {
	case f.Installer != 0:
		shown.When = say("shows where the program installs the filter, which must allow %[1]s", "显示程序在何处安装该过滤器；过滤器须允许 %[1]s", call)
		return []Remedy{shown}
	case s.Container == "docker" || s.Container == "podman":
		return []Remedy{
			run(say("to try it without a filter; then allow %[1]s in a profile of your own, or update the runtime", "先在没有过滤器时试验；然后在自己的配置中允许 %[1]s，或更新运行时", call),
				"%s run --security-opt seccomp=unconfined ...", s.Container),
		}
	case s.Container == "kubernetes":
		return []Remedy{run(say("in the pod's securityContext, to try it", "在 Pod 的 securityContext 中，先试验"), "seccompProfile: {type: Unconfined}")}
	case unit != "":
		return []Remedy{onGroup(s, unit, run(say("to see the unit's own filter", "查看该单元自身的过滤器"), "systemctl%s show -p SystemCallFilter -p RestrictNamespaces %s", manager(s), unitWord(unit)))}
	}
	count := run(say("shows how many filters there are", "显示过滤器的数量"), "grep Seccomp /proc/%d/status", s.PID)
	count.running = true
	return []Remedy{count, shown}
}

// thaw lets a frozen group go on.
func thaw(s census.Census) []Remedy {
	switch unit, id := unitOf(s.Groups.Frozen), containerOf(s.Groups.Frozen); {
	case id != "":
		return []Remedy{run(say("docker or podman has paused it", "已被 docker 或 podman 暂停"), "docker unpause %s", id)}
	case unit != "":
		return []Remedy{onGroup(s, unit, run(say("as root", "需要 root"), "systemctl%s thaw %s", manager(s), unitWord(unit)))}
	}
	return []Remedy{
		onGroup(s, s.Groups.Frozen, run(say("version 2", "第 2 版"), "echo 0 > %s", s.Groups.Frozen+"/cgroup.freeze")),
		onGroup(s, s.Groups.Frozen, run(say("version 1", "第 1 版"), "echo THAWED > %s", s.Groups.Frozen+"/freezer.state")),
	}
}
