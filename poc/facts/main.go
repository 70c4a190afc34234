// Package facts prints what the target says about itself: kernel, pages, address
// space, limits, configuration. None of it comes from a flag: verdicts rest on
// these facts, not on the description of a cell.
package facts

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
)

// Main runs the probe.
func Main() {
	probe.Run(func(p *probe.P) {
		uname(p)
		program(p)
		addressSpace(p)
		limits(p)
		sysctls(p)
		memory(p)
		processors(p)
		process(p)
		kernel(p)
		hardware(p)
		config(p)
		cgroups(p)
	}, nil)
}

// uname observes the kernel's own names.
func uname(p *probe.P) {
	o := p.Observe("uname")
	var u syscall.Utsname
	if err := syscall.Uname(&u); err != nil {
		for _, key := range []string{"sysname", "release", "version", "machine"} {
			o.Unknown(key, "uname: "+err.Error())
		}
		o.Emit()
		return
	}
	// The fields are [65]int8 on some architectures and [65]uint8 on others.
	for key, field := range map[string]unsafe.Pointer{
		"sysname": unsafe.Pointer(&u.Sysname), "release": unsafe.Pointer(&u.Release),
		"version": unsafe.Pointer(&u.Version), "machine": unsafe.Pointer(&u.Machine),
	} {
		chars := (*[65]byte)(field)[:]
		o.Set(key, strings.SplitN(string(chars), "\x00", 2)[0])
	}
	o.Emit()
}

// program observes how this probe was compiled, and what the kernel told it at
// exec.
func program(p *probe.P) {
	o := p.Observe("program")
	o.Set("goarch", runtime.GOARCH).Set("go", runtime.Version()).Set("compiler", runtime.Compiler)
	o.Set("pagesize", int(p.Page))
	auxv, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		o.Unknown("auxv.pagesz", err.Error())
		o.Emit()
		return
	}
	const word = unsafe.Sizeof(uintptr(0))
	for ; uintptr(len(auxv)) >= 2*word; auxv = auxv[2*word:] {
		name, ok := map[uintptr]string{ // include/uapi/linux/auxvec.h
			6: "auxv.pagesz", 16: "auxv.hwcap", 17: "auxv.clktck", 26: "auxv.hwcap2", 51: "auxv.minsigstksz",
		}[*(*uintptr)(unsafe.Pointer(&auxv[0]))]
		if ok {
			o.Set(name, *(*uintptr)(unsafe.Pointer(&auxv[word])))
		}
	}
	o.Emit()
}

// addressSpace observes the size of the user address space, in bits, and where mmap
// goes without a hint.
func addressSpace(p *probe.P) {
	k := p.Kernel
	o := p.Observe("va")
	flags := k.Map.Private | k.Map.Anonymous | k.Map.FixedNoReplace
	highest := 0
	for bits := uint(30); bits <= 64; bits++ {
		// Some architectures keep the last page below a power of two free. A shift by
		// 64 gives 0, and the subtraction then wraps to the top.
		addr := uintptr(1)<<bits - 2*p.Page
		got, errno := k.Mmap(addr, p.Page, 0, flags, -1, 0)
		if errno == 0 {
			// Kernels before 4.17 ignore the flag and take the address for a hint.
			k.Munmap(got, p.Page)
		}
		if errno == 0 && got == addr || k.ErrnoName(int(errno)) == "EEXIST" {
			highest = int(bits)
		}
	}
	if highest == 0 {
		o.Unknown("bits", "no page below any power of two from 2^30 to 2^64 could be mapped")
	} else {
		o.Set("bits", highest)
	}
	addr, errno := k.Mmap(0, p.Page, 0, k.Map.Private|k.Map.Anonymous, -1, 0)
	if errno != 0 {
		o.Unknown("default", fmt.Sprintf("mmap: errno %d %s", int(errno), k.ErrnoName(int(errno))))
	} else {
		k.Munmap(addr, p.Page)
		o.Set("default", addr)
	}
	o.Emit()
}
