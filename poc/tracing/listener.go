package tracing

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/trace"
)

// request is struct seccomp_notif, and reply is struct seccomp_notif_resp
// (include/uapi/linux/seccomp.h).
type request struct {
	id         uint64
	pid, flags uint32
	number     int32
	arch       uint32
	rest       [7]uint64
}

type reply struct {
	id    uint64
	value int64
	errno int32 // minus the errno
	flags uint32
}

const (
	receive = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV, the same on every architecture
	send    = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
	goOn    = 1          // SECCOMP_USER_NOTIF_FLAG_CONTINUE
	// replaced is not the ID of a process or a session: IDs end at 1<<22
	// (PID_MAX_LIMIT in include/linux/threads.h).
	replaced = 0x12345678
)

// asked is the outcome of a call.
type asked struct {
	value uintptr
	errno syscall.Errno
}

// listener makes one thread decide the calls of another.
func listener(p *probe.P) {
	k := p.Kernel
	type installed struct {
		fd    uintptr
		errno syscall.Errno
	}
	filter, calls := make(chan installed), make(chan asked)
	go func() {
		runtime.LockOSThread() // the filter applies to this thread only
		// Without CAP_SYS_ADMIN a filter needs no_new_privs (seccomp(2)).
		if _, errno := k.Prctl(noNewPrivs, 1, 0, 0, 0); errno != 0 {
			filter <- installed{0, errno}
			return
		}
		fd, errno := trace.Install(k, trace.NewListener, trace.Filter(trace.Ask, filtered))
		filter <- installed{fd, errno}
		for {
			// This is not a raw call, because the thread waits for another one's
			// answer.
			value, _, errno := syscall.Syscall(filtered, 0, 0, 0)
			calls <- asked{value, errno}
		}
	}()
	o := p.Observe("filter")
	f := <-filter
	ok := o.Returned("seccomp(SET_MODE_FILTER, NEW_LISTENER)", f.fd, f.errno)
	o.Emit()
	if !ok {
		return
	}
	o = p.Observe("getfd")
	pidfd, _, errno := syscall.RawSyscall(uintptr(k.Syscall.PidfdOpen), uintptr(os.Getpid()), 0, 0)
	if errno != 0 {
		o.Returned("pidfd_open", 0, errno)
		o.Emit()
		return
	}
	fd, _, errno := syscall.RawSyscall(uintptr(k.Syscall.PidfdGetfd), pidfd, f.fd, 0)
	ok = o.Returned("pidfd_getfd", fd, errno)
	o.Emit()
	if !ok {
		return
	}
	session, _, _ := syscall.RawSyscall(filtered, 0, 0, 0)
	p.Observe("session").Set("own", session).Emit()
	for _, step := range []struct {
		name  string
		reply reply
	}{
		{"refused", reply{errno: -int32(k.Errno(answer))}},
		{"replaced", reply{value: replaced}},
		{"continued", reply{flags: goOn}},
	} {
		o := p.Observe(step.name)
		if err := decide(fd, step.reply); err != nil {
			o.Unknown("ret", err.Error()).Emit()
			return
		}
		c := <-calls
		o.Returned("getsid(0)", c.value, c.errno)
		o.Emit()
	}
}

// decide waits for a call and answers it.
func decide(fd uintptr, answer reply) error {
	var r request
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, receive, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return fmt.Errorf("SECCOMP_IOCTL_NOTIF_RECV: errno %d", int(errno))
	}
	if r.number != filtered {
		return fmt.Errorf("the listener is asked about call %d", r.number)
	}
	answer.id = r.id
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, send, uintptr(unsafe.Pointer(&answer))); errno != 0 {
		return fmt.Errorf("SECCOMP_IOCTL_NOTIF_SEND: errno %d", int(errno))
	}
	return nil
}
