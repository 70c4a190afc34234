package mapstack

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/poc/probe"
)

// Bytes in the memory of a forked process: what it inherits, and what its parent writes
// afterwards.
const inherited, later = 0x5a, 0x3c

// forks makes a process that keeps a copy of one mapping, and looks at it from outside
// while the process waits in its first system call.
func (m mapper) forks() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, kind := range m.kinds() {
		o := m.Observe("fork." + kind.name)
		m.fork(o, kind)
		o.Emit()
	}
}

func (m mapper) fork(o *probe.Obs, kind kind) {
	addr, errno := m.Kernel.Mmap(0, 4*m.Page, m.rw(), kind.flags, -1, 0)
	if errno != 0 {
		o.Unknown("mapping", m.failure("mmap", errno))
		return
	}
	defer m.release(addr, 4*m.Page)
	// A fault would end the probe.
	if v, ok, err := probe.Lookup(addr); err != nil || !ok || !strings.HasPrefix(v.Perms, "rw") {
		o.Unknown("mapping", fmt.Sprintf("it cannot be written: %q, %v", v.Perms, err))
		return
	}
	var gate [2]int
	if err := syscall.Pipe2(gate[:], syscall.O_CLOEXEC); err != nil {
		o.Unknown("gate", err.Error())
		return
	}
	defer syscall.Close(gate[0])
	defer syscall.Close(gate[1])
	set(addr, inherited)
	// The child waits until a byte comes, and stores it in its second page.
	first := [4]uintptr{uintptr(syscall.SYS_READ), uintptr(gate[0]), addr + m.Page, 1}
	pid, errno, err := m.Kernel.CloneFirst(m.Kernel.Signal.Chld, first)
	if err != nil {
		o.Unknown("child", err.Error())
		return
	}
	if !o.Returned(fmt.Sprintf("clone(%#x)", m.Kernel.Signal.Chld), uintptr(pid), errno) {
		return
	}
	set(addr, later)
	m.inspect(o, pid, addr)
	// Closing would not end the child's read: it has the other end of the pipe as well.
	if _, err := syscall.Write(gate[1], []byte{later}); err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		o.Unknown("status", err.Error())
		return
	}
	o.Set("status", int(status))
}

// set writes a byte to memory that is known to be writable.
func set(addr uintptr, b byte) { *pointer(addr) = b }

// inspect records a child's copy of a mapping: its flags, and what it holds.
func (m mapper) inspect(o *probe.Obs, pid int, addr uintptr) {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		o.Unknown("held", err.Error())
	} else {
		b := make([]byte, 1)
		if _, err := memory.ReadAt(b, int64(addr)); err != nil {
			o.Unknown("held", err.Error())
		} else {
			o.Set("held", b[0])
		}
		memory.Close()
	}
	path := fmt.Sprintf("/proc/%d/smaps", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		o.Unknown("perms", err.Error()).Unknown("vmflags", err.Error())
		return
	}
	perms, flags, ok := described(string(text), addr)
	if !ok {
		o.Set("mapped", false)
		return
	}
	o.Set("mapped", true).Set("perms", perms).Set("vmflags", flags)
}

// described returns the permissions and the VmFlags of the mapping that holds an
// address, from the text of smaps.
func described(smaps string, addr uintptr) (perms, flags string, ok bool) {
	inside := false
	for _, line := range strings.Split(smaps, "\n") {
		var start, end uintptr
		var shown string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &start, &end, &shown); n == 3 {
			inside = start <= addr && addr < end
			if inside {
				perms, ok = shown, true
			}
			continue
		}
		if inside && strings.HasPrefix(line, "VmFlags:") {
			flags = strings.TrimSpace(strings.TrimPrefix(line, "VmFlags:"))
		}
	}
	return perms, flags, ok
}
