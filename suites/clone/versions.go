package clone

import "github.com/mapstack/conformance/harness/facts"

// What is known of kernel versions. A version only says what to expect; a
// vendor's back-port is a deviation with a reason.

// pidfdOfThread: CLONE_PIDFD together with CLONE_THREAD, since 6.9 (commit
// 83b290c9e3b5, "pidfd: clone: allow CLONE_THREAD | CLONE_PIDFD together").
// Observed: EINVAL on 5.10 and 6.1, accepted on 6.12 and later.
func pidfdOfThread(f facts.Facts) bool { return f.Release.AtLeast(6, 9, 0) }

// exitSignalChecked: kernel_clone refuses an exit signal that is no signal
// (valid_signal in kernel/fork.c), since 7.1; before, only clone3 did.
// Observed: accepted on 5.10 to 7.0, EINVAL on 7.1 and later.
func exitSignalChecked(f facts.Facts) bool { return f.Release.AtLeast(7, 1, 0) }

// autoReap: CLONE_AUTOREAP, bit 34, since 7.1 (include/uapi/linux/sched.h).
func autoReap(f facts.Facts) bool { return f.Release.AtLeast(7, 1, 0) }

// since chooses between what a kernel answers with and without a feature.
func since(has bool, with, without string) string {
	if has {
		return with
	}
	return without
}
