package history

import "github.com/mapstack/conformance/harness/judge/facts"

// PidfdOfThread reports whether clone accepts CLONE_PIDFD with CLONE_THREAD: since
// commit 83b290c9e3b5 (6.9), and before 5.2, which brought CLONE_PIDFD and ignored its
// bit until then. Observed: accepted on 4.19.90, EINVAL on 5.10 and 6.1, accepted on
// 6.12 and later.
func PidfdOfThread(f facts.Facts) bool {
	return f.Release.AtLeast(6, 9, 0) || !f.Release.AtLeast(5, 2, 0)
}

// ExitSignalChecked reports whether clone refuses an exit signal that is no
// signal: since 7.1 kernel_clone asks valid_signal (kernel/fork.c), where
// before only clone3 did. Observed: accepted on 4.19.90 and 5.10 to 7.0.
func ExitSignalChecked(f facts.Facts) bool { return f.Release.AtLeast(7, 1, 0) }

// AutoReap reports whether clone3 knows CLONE_AUTOREAP, bit 34: since 7.1
// (include/uapi/linux/sched.h). clone3 itself came with 5.3.
func AutoReap(f facts.Facts) bool { return f.Release.AtLeast(7, 1, 0) }
