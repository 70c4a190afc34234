package load

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"github.com/mapstack/conformance/poc/probe"
	"github.com/mapstack/conformance/poc/stackpool"
	"github.com/mapstack/conformance/poc/sys"
)

// Sizes of stacks on both sides of the limits that the article sets for its two tiers: below
// 32 KiB and above 64 KiB.
const (
	smallStack = 16 << 10
	largeStack = 256 << 10
)

// used is how many bytes of its stack a simple thread writes.
const used = 2 << 10

// stacks returns the loads that take a stack, write the part that its user would use, and
// give it back. "use" is the writing alone, which all of them include.
func stacks() (all []kind) {
	for _, size := range []struct {
		name  string
		bytes uintptr
	}{{"small", smallStack}, {"large", largeStack}} {
		for _, way := range []struct {
			name string
			run  func(*sys.Kernel, uintptr) (func(), error)
		}{{"use", useStack}, {"pool", pooledStack}, {"heap", heapStack}, {"mmap", mappedStack}} {
			size, way := size, way
			all = append(all, kind{"stack-" + size.name + "-" + way.name, 0, need{threads: 16, files: 16, mebibytes: 64},
				func(p *probe.P, m *meter) error {
					take, err := way.run(p.Kernel, size.bytes)
					if err == nil {
						m.each(1, func(who int) { again(m, who, take) })
					}
					return err
				}})
		}
	}
	return all
}

// again calls a function over and over.
func again(m *meter, who int, do func()) {
	for began := time.Now(); !m.over(); began = m.did(who, began, batch) {
		for i := 0; i < batch; i++ {
			do()
		}
	}
}

// touch writes to the upper end of a stack.
func touch(b []byte) {
	for at := len(b) - used; at < len(b); at += 64 {
		b[at] = 1
	}
}

func useStack(_ *sys.Kernel, size uintptr) (func(), error) {
	one := make([]byte, size)
	return func() { touch(one) }, nil
}

// pooledStack takes stacks from poc/stackpool, whose two tiers are those of the article.
func pooledStack(k *sys.Kernel, size uintptr) (func(), error) {
	p := stackpool.New(k, stackpool.Options{Flags: k.Map.Stack, Guard: true})
	return func() {
		s, err := p.Get(size)
		if err != nil {
			panic(fmt.Sprintf("take a stack from the pool: %v", err))
		}
		touch(s.Bytes())
		p.Put(s, used)
	}, nil
}

// heapStack takes stacks from Go's heap, where the stock runtime takes those of g0.
func heapStack(_ *sys.Kernel, size uintptr) (func(), error) {
	var one []byte // outlives the function, so that the compiler allocates on the heap
	return func() {
		one = make([]byte, size)
		touch(one)
	}, nil
}

// mappedStack maps every stack with MAP_STACK and a guard page, as C libraries do.
func mappedStack(k *sys.Kernel, size uintptr) (func(), error) {
	page := uintptr(syscall.Getpagesize())
	length := size + page
	return func() {
		at, errno := k.Mmap(0, length, k.Prot.Read|k.Prot.Write, k.Map.Private|k.Map.Anonymous|k.Map.Stack, -1, 0)
		if errno == 0 {
			errno = k.Mprotect(at, page, 0)
		}
		if errno != 0 {
			panic(fmt.Sprintf("map a stack: errno %d %s", int(errno), k.ErrnoName(int(errno))))
		}
		touch(memory(at+page, size))
		k.Munmap(at, length)
	}, nil
}

// memory returns the memory at an address outside Go's own memory. It converts through the
// address of the number, because vet rightly distrusts the direct conversion.
func memory(at, length uintptr) []byte {
	return (*[largeStack]byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at)))[:length:length]
}
