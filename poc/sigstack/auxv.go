package sigstack

import (
	"os"
	"unsafe"
)

// minSigStack is AT_MINSIGSTKSZ (include/uapi/linux/auxvec.h): the size in bytes of the
// largest frame that the kernel puts on a signal stack.
const minSigStack = 51

// needed returns the size of a signal stack that the kernel tells programs to have, and
// whether it tells one.
func needed() (size int, told bool) {
	auxv, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		return 0, false
	}
	const word = unsafe.Sizeof(uintptr(0))
	for ; uintptr(len(auxv)) >= 2*word; auxv = auxv[2*word:] {
		if *(*uintptr)(unsafe.Pointer(&auxv[0])) == minSigStack {
			return int(*(*uintptr)(unsafe.Pointer(&auxv[word]))), true
		}
	}
	return 0, false
}
