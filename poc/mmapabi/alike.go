package mmapabi

import (
	"os"
	"runtime"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
)

// Numbers that are the same on every architecture (include/uapi/asm-generic/mman-common.h,
// include/uapi/linux/prctl.h).
const (
	adviseFree     = 8          // MADV_FREE
	adviseDontFork = 10         // MADV_DONTFORK
	setVMA         = 0x53564d41 // PR_SET_VMA
	anonymousName  = 0          // PR_SET_VMA_ANON_NAME
)

// name is given to memory, with the zero byte at its end.
const name = "mapstack\x00"

// alike does the same to plain memory and to memory with MAP_STACK.
func (m memory) alike() {
	for _, kind := range []struct {
		name  string
		flags uint64
	}{{"plain", m.private()}, {"stack", m.private() | m.Kernel.Map.Stack}} {
		for _, step := range []struct {
			name string
			do   func(o *probe.Obs, addr uintptr)
		}{
			{"dontfork", m.dontFork}, {"free", m.free}, {"mem", m.throughProc}, {"named", m.named},
		} {
			o := m.Observe(step.name + " " + kind.name)
			addr, errno := m.Kernel.Mmap(0, m.Page, m.rw(), kind.flags, -1, 0)
			if errno != 0 {
				o.Unknown("mapping", "mmap: "+m.Outcome(errno)).Emit()
				continue
			}
			o.Store("stored", addr)
			step.do(o, addr)
			o.Emit()
			m.Kernel.Munmap(addr, m.Page)
		}
	}
}

// dontFork keeps a page from children, and asks a child for it.
func (m memory) dontFork(o *probe.Obs, addr uintptr) {
	if o.Madvise(addr, m.Page, adviseDontFork) {
		switch _, has, err := m.childReads(addr); {
		case err != nil:
			o.Unknown("child", err.Error())
		case has:
			o.Set("child", "has it")
		default:
			o.Set("child", "has none")
		}
	}
	o.Byte("kept", addr)
}

// free gives a page back when memory is needed. It can be used at once.
func (m memory) free(o *probe.Obs, addr uintptr) {
	o.Madvise(addr, m.Page, adviseFree)
	o.Byte("byte", addr).Store("store", addr)
}

// throughProc reads and writes the page as a debugger does.
func (m memory) throughProc(o *probe.Obs, addr uintptr) {
	file, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		o.Unknown("read", err.Error())
		return
	}
	defer file.Close()
	b := make([]byte, 1)
	if _, err := file.ReadAt(b, int64(addr)); err != nil {
		o.Set("read", err)
	} else {
		o.Set("read", b[0])
	}
	b[0] = 90 // another byte than was stored
	if _, err := file.WriteAt(b, int64(addr)); err != nil {
		o.Set("write", err)
	} else {
		o.Set("write", m.Outcome(0))
	}
	o.Byte("after", addr)
}

// named gives the page a name, which maps then shows.
func (m memory) named(o *probe.Obs, addr uintptr) {
	text := []byte(name)
	_, errno := m.Kernel.Prctl(setVMA, anonymousName, addr, m.Page, uintptr(unsafe.Pointer(&text[0])))
	o.Returned("prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME)", 0, errno)
	runtime.KeepAlive(text)
	o.VMA("", addr)
}
