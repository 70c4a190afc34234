package address

import "fmt"

// rounds is the number of mappings of each kind. Two neighbours of one kind cannot
// both be aligned by chance: see align.
const rounds = 8

// align observes the addresses of mappings as long as a huge page of some
// architecture. Mappings one page longer are made in between. Each shifts what
// follows by a page, so that nothing stays aligned by itself.
func (m placer) align() {
	for _, size := range []uintptr{1 << 20, 2 << 20, 8 << 20, 32 << 20, 512 << 20} {
		for _, kind := range []struct {
			name  string
			flags uint64
		}{
			{"plain", m.reserve()}, {"stack", m.reserve() | m.Kernel.Map.Stack},
		} {
			m.alignment(fmt.Sprintf("%s %#x", kind.name, size), size, kind.flags)
		}
	}
	o := m.Observe("huge page")
	content(o, "size", "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size").Emit()
}

func (m placer) alignment(step string, size uintptr, flags uint64) {
	o := m.Observe(step)
	defer o.Emit()
	type mapping struct{ addr, length uintptr }
	var made []mapping
	defer func() {
		for _, v := range made {
			m.Kernel.Munmap(v.addr, v.length)
		}
	}()
	exact, longer := 0, 0
	for n := 0; n < rounds; n++ {
		for _, length := range []uintptr{size + m.Page, size} {
			addr, errno := m.Kernel.Mmap(0, length, 0, flags, -1, 0)
			if errno != 0 {
				o.Unknown("exact", "mmap: "+m.outcome(errno)).Unknown("longer", "mmap: "+m.outcome(errno))
				return
			}
			made = append(made, mapping{addr, length})
			if addr%size == 0 {
				if length == size {
					exact++
				} else {
					longer++
				}
			}
		}
	}
	o.Set("rounds", rounds).Set("exact", exact).Set("longer", longer)
}
