package inject

import (
	"fmt"
	"syscall"
)

// turning is the first argument of a getppid by which a program turns to another model,
// and the answer to it. The kernel looks at no argument of getppid, and no process has
// such a number.
const turning = 0x7475726e

// Turn makes the injector above this process apply the nth of its models from now on, to
// all processes below it. It fails if there is no injector.
func Turn(n int) error {
	r, _, errno := syscall.RawSyscall(syscall.SYS_GETPPID, turning, uintptr(n), 0)
	if errno != 0 || r != turning {
		return fmt.Errorf("turn to model %d: getppid answers %#x, errno %d; no injector runs this program", n, r, int(errno))
	}
	return nil
}

// turn applies another of the models from now on.
func (t *tracer) turn(n uint64) error {
	if n >= uint64(len(t.models)) {
		return fmt.Errorf("the probe turns to model %d of %d", n, len(t.models))
	}
	t.model = t.models[n]
	return nil
}
