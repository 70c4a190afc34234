package mapstack

import (
	"fmt"

	"github.com/mapstack/conformance/poc/abi"
)

// otherNumbers asks for MAP_STACK with the numbers of other architectures. It tries
// their flag beside this architecture's own PRIVATE|ANONYMOUS, and their whole
// word.
func (m mapper) otherNumbers() {
	const pages = 16
	flags, words := map[uint64]bool{}, map[uint64]bool{}
	for _, other := range abi.All() {
		if flag := other.Map.Stack; !flags[flag] {
			flags[flag] = true
			o := m.Observe(fmt.Sprintf("number.%#x", flag))
			addr, ok := o.Mmap(0, pages*m.Page, m.rw(), m.plain()|flag, -1, 0)
			if ok {
				o.VMA("", addr).Resident("resident", addr, pages)
				m.release(addr, pages*m.Page)
			}
			o.Emit()
		}
		word := other.Map.Private | other.Map.Anonymous | other.Map.Stack
		// A call without this architecture's own anonymous bit needs a file, and -1
		// is none. So it fails before any address matters.
		if word&m.Kernel.Map.Anonymous != 0 || words[word] {
			continue
		}
		words[word] = true
		o := m.Observe(fmt.Sprintf("word.%#x", word))
		if addr, ok := o.Mmap(0, m.Page, m.rw(), word, -1, 0); ok {
			o.VMA("", addr)
		}
		o.Emit()
	}
}
