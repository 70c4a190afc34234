package diagnose

import (
	"fmt"
	"math/bits"

	"github.com/mapstack/conformance/harness/diagnose/census"
)

// Remedy is a command, or a line of a file, that removes a cause.
type Remedy struct {
	Command string `json:"command"`
	When    Text   `json:"when"`
	running bool   // it helps only a program that still runs
}

// run makes a remedy. The format is of the command.
func run(when Text, format string, args ...any) Remedy {
	return Remedy{Command: fmt.Sprintf(format, args...), When: when}
}

// running makes a remedy that helps only while the program runs.
func running(format string, args ...any) Remedy {
	r := run(now(), format, args...)
	r.running = true
	return r
}

func now() Text { return say("for what runs now", "对正在运行的程序") }

func before() Text {
	return say("in the shell that starts it, up to the hard limit", "在启动它的 shell 中（不超过硬限制）")
}

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

// raiseProcesses raises RLIMIT_NPROC: for what runs, in a shell, and for good.
func raiseProcesses(s census.Census) []Remedy {
	n := double(s.User.Tasks.N)
	if s.User.Processes.Soft.State == census.Exact {
		n = max(n, double(s.User.Processes.Soft.N))
	}
	list := []Remedy{running("prlimit --pid %d --nproc=%d:", s.PID, n), run(before(), "ulimit -u %d", n)}
	if hard := s.User.Processes.Hard; hard.State == census.Exact && hard.N < n {
		list[0] = running("prlimit --pid %d --nproc=%d:%d", s.PID, n, n)
		list[0].When = list[0].When.and(say(", as root: this is above the hard limit", "；高于硬限制，需要 root"))
	}
	switch unit := serviceOf(s); {
	case s.Container == "docker" || s.Container == "podman":
		list = append(list, run(say("when the container is started", "启动容器时"), "%s run --ulimit nproc=%d ...", s.Container, n))
	case unit != "":
		list = append(list, run(say("in the unit, by systemctl edit", "写入单元，用 systemctl edit"), "systemctl edit %s  # [Service] LimitNPROC=%d", unit, n))
	default:
		list = append(list, run(say("for logins, in /etc/security/limits.conf", "用于登录，写入 /etc/security/limits.conf"), "USER - nproc %d", n))
	}
	return list
}

// raisePids raises the limit of a group where it is set, because container runtimes
// and systemd write their own value again.
func raisePids(s census.Census, at int) []Remedy {
	g := s.Groups.Pids[at]
	n := double(g.Current.N)
	switch unit, id := unitOf(g.Path), containerOf(g.Path); {
	case id != "" && (s.Container == "docker" || s.Container == "podman"):
		return []Remedy{run(now(), "%s update --pids-limit %d %s", s.Container, n, id)}
	case s.Container == "kubernetes" && ofContainer(s, g.Path):
		return raiseOutside(s)
	case unit != "":
		return []Remedy{run(say("for what runs now and later", "对正在运行的和以后的程序"), "systemctl set-property %s TasksMax=%d", unit, n)}
	case ofContainer(s, g.Path):
		return append(raiseOutside(s), run(now(), "echo %d > %s", n, g.MaxFile()))
	}
	return []Remedy{run(now().and(say(", as root", "，需要 root")), "echo %d > %s", n, g.MaxFile())}
}

// raiseOutside raises a limit that is set outside of the container.
func raiseOutside(s census.Census) []Remedy {
	switch s.Container {
	case "kubernetes":
		return []Remedy{run(say("in the configuration of the node's kubelet", "在节点 kubelet 的配置中"), "podPidsLimit: 4096")}
	case "docker", "podman":
		return []Remedy{run(say("outside of the container", "在容器之外"), "%s update --pids-limit 4096 CONTAINER", s.Container)}
	}
	return []Remedy{run(say("outside of the container", "在容器之外"), "cat /sys/fs/cgroup/**/pids.max")}
}

// allow removes a filter, or shows it.
func allow(s census.Census, call string) []Remedy {
	switch unit := serviceOf(s); {
	case s.Container == "docker" || s.Container == "podman":
		return []Remedy{
			run(say("to try it without a filter; then allow %[1]s in a profile of your own, or update the runtime", "先在没有过滤器时试验；然后在自己的配置中允许 %[1]s，或更新运行时", call),
				"%s run --security-opt seccomp=unconfined ...", s.Container),
		}
	case s.Container == "kubernetes":
		return []Remedy{run(say("in the pod's securityContext, to try it", "在 Pod 的 securityContext 中，先试验"), "seccompProfile: {type: Unconfined}")}
	case unit != "":
		return []Remedy{run(say("to see the unit's own filter", "查看该单元自身的过滤器"), "systemctl show -p SystemCallFilter -p RestrictNamespaces %s", unit)}
	}
	return []Remedy{run(say("shows how many filters there are; the program itself, or what started it, has installed them", "显示过滤器的数量；过滤器由程序自身或启动它的程序安装"),
		"grep Seccomp /proc/%d/status", s.PID)}
}
