package diagnose

import "github.com/mapstack/conformance/harness/diagnose/census"

// buried tells of processes that have ended and fill a limit. Its remedy comes first: a
// higher limit is filled as well.
func buried(s census.Census, c Cause, counts func(census.Dead) bool) Cause {
	var all uint64
	var worst *census.Dead
	for _, d := range s.Tasks.Dead {
		if !counts(d) {
			continue
		}
		all += d.Count
		if worst == nil || d.Count > worst.Count {
			worst = &d
		}
	}
	const few = 3 // a parent needs a moment to wait for each
	if all <= few || 4*all < c.Used.N {
		return c
	}
	c.Why = c.Why.and(say(". %[1]d of these tasks have ended (zombies, defunct): process %[2]d (%[3]s) has not waited for %[4]d of its children", "。这些任务中有 %[1]d 个已经结束（僵尸进程）：进程 %[2]d（%[3]s）没有等待它的 %[4]d 个子进程",
		all, worst.Parent, worst.Name, worst.Count))
	c.Raise = append(reap(s, worst), c.Raise...)
	return c
}

// reap makes a parent wait for its children, or takes them from it.
func reap(s census.Census, d *census.Dead) []Remedy {
	var list []Remedy
	switch s.Container {
	case "docker", "podman":
		list = append(list, run(say("a first process that waits for all others", "使用会等待其他进程的首个进程"), "%s run --init ...", s.Container))
	case "kubernetes":
		list = append(list, run(say("a first process that waits for all others; or tini in the image", "使用会等待其他进程的首个进程；或在镜像中使用 tini"), "shareProcessNamespace: true"))
	}
	if d.Parent == 1 {
		return append(list, run(say("process 1 must wait for all others: a small init such as tini does. A higher limit is filled as well", "进程 1 必须等待其他所有进程：tini 等小型 init 会这样做。更高的限制同样会被填满"), "tini -- PROGRAM"))
	}
	end := run(say("asks the parent to wait; if it does not, its end gives the children to init. A higher limit is filled as well", "要求父进程等待；如果无效，父进程结束后子进程会交给 init。更高的限制同样会被填满"), "kill -CHLD %d", d.Parent)
	end.running = d.Parent == s.PID
	return append(list, end, run(say("in process %[1]d (%[2]s), at each SIGCHLD; or once: signal(SIGCHLD, SIG_IGN)", "在进程 %[1]d（%[2]s）中，每次收到 SIGCHLD 时；或只需一次：signal(SIGCHLD, SIG_IGN)", d.Parent, d.Name),
		"while (waitpid(-1, NULL, WNOHANG) > 0);"))
}
