package mapstack

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
)

// setVMA names a range of anonymous memory (include/uapi/linux/prctl.h). Its first
// argument is PR_SET_VMA_ANON_NAME, which is 0.
const setVMA = 0x53564d41

// goNames runs a Go program that names its memory. A program that was built with a go.mod
// of Go 1.24 or older does so only if asked.
func (m mapper) goNames() {
	o := m.Observe("names")
	defer o.Emit()
	addr, errno := m.Kernel.Mmap(0, m.Page, m.rw(), m.plain(), -1, 0)
	if errno != 0 {
		o.Unknown("memory", m.failure("mmap", errno))
		return
	}
	defer m.release(addr, m.Page)
	text := []byte("mapstack\x00")
	_, errno = m.Kernel.Prctl(setVMA, 0, addr, m.Page, uintptr(unsafe.Pointer(&text[0])))
	runtime.KeepAlive(text)
	if o.Returned("prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME)", 0, errno) {
		o.Child(probe.Child{Name: "names", Env: []string{"GODEBUG=decoratemappings=1"}})
	}
}

// stackNames observes the names of the mappings in which waiting threads have their stacks.
func (m mapper) stackNames() {
	const threads = 4
	up := make(chan int)
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			up <- syscall.Gettid()
			select {} // until the process ends
		}()
	}
	for i := 0; i < threads; i++ {
		o := m.Observe(fmt.Sprintf("thread %d", i))
		if sp, err := waiting(<-up); err != nil {
			o.Unknown("stack", err.Error())
		} else {
			o.Set("stack", sp).VMA("", sp)
		}
		o.Emit()
	}
}

// waiting returns the stack pointer of a thread of this process once it waits in a call.
func waiting(id int) (sp uintptr, err error) {
	const tries, pause = 200, 5 * time.Millisecond
	path := fmt.Sprintf("/proc/self/task/%d/syscall", id)
	for try := 0; try < tries; try++ {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		// The number of the call, six arguments, the stack pointer, the program counter.
		if f := strings.Fields(string(text)); len(f) == 9 {
			n, err := strconv.ParseUint(f[7], 0, 64)
			return uintptr(n), err
		}
		time.Sleep(pause)
	}
	return 0, fmt.Errorf("%s shows no call after %v", path, tries*pause)
}
