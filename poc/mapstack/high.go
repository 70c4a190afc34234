package mapstack

import "fmt"

// highHint gives mmap the highest address as a hint that it honours for plain memory, and
// then the same hint with MAP_STACK.
func (m mapper) highHint() {
	const lowest, highest = 32, 63
	for bits := highest; bits >= lowest; bits-- {
		want := uintptr(3) << (bits - 1) // in the middle between two powers of two
		got, errno := m.Kernel.Mmap(want, m.Page, m.rw(), m.plain(), -1, 0)
		if errno != 0 {
			m.Observe("high").Unknown("hint", m.failure(fmt.Sprintf("mmap(%#x)", want), errno)).Emit()
			return
		}
		m.release(got, m.Page)
		if got != want {
			continue
		}
		m.Observe("high").Set("hint", want).Set("bits", bits).Emit()
		for _, kind := range m.kinds() {
			o := m.Observe("high." + kind.name)
			if addr, ok := o.Mmap(want, m.Page, m.rw(), kind.flags, -1, 0); ok {
				o.VMA("", addr).Store("store", addr)
				m.release(addr, m.Page)
			}
			o.Emit()
		}
		return
	}
	m.Observe("high").Unknown("hint", "plain memory got none of the hints").Emit()
}
