package history

import "github.com/mapstack/conformance/harness/judge/facts"

// ProcessesPerUserNamespace reports whether RLIMIT_NPROC counts the processes
// of a user per user namespace: commit 21d1c5e386bc (5.14). Observed: all
// together on 5.10, per namespace on 6.1 and later.
func ProcessesPerUserNamespace(f facts.Facts) bool { return f.Release.AtLeast(5, 14, 0) }

// PIDMaxPerNamespace reports whether kernel.pid_max belongs to the PID
// namespace it is written in: commit 7863dcc72d0f (6.14). Observed: global
// from 4.19.90 to 6.12, per namespace from 6.16 on.
func PIDMaxPerNamespace(f facts.Facts) bool { return f.Release.AtLeast(6, 14, 0) }

// EventsOfOwnLimit reports whether pids.events counts refusals by the group's
// own limit rather than those of the group's processes: commit 73e75e6fc352
// (6.11), with pids.events.local by commit 3f26a885a068 (6.11). Observed: those of the
// processes on 4.19.90, 5.10 and 6.1.
func EventsOfOwnLimit(f facts.Facts) bool { return f.Release.AtLeast(6, 11, 0) }
