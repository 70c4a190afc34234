package linetable

import (
	"debug/elf"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
)

// framed is a function with a frame.
//
//go:noinline
func framed(n int) (pc uintptr, sum byte) {
	var frame [1024]byte
	for i := range frame {
		frame[i] = byte(i * n)
	}
	pc, _, _, _ = runtime.Caller(0)
	for _, b := range frame {
		sum += b
	}
	return pc, sum
}

func own(t testing.TB) *Table {
	t.Helper()
	table, err := Read("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestMovedIsTheFrame fails if the wrong function, table or instruction is read. At
// its entry a function has moved nothing.
func TestMovedIsTheFrame(t *testing.T) {
	table := own(t)
	pc, _ := framed(3)
	entry := uint64(runtime.FuncForPC(pc).Entry())
	if moved, err := table.Moved(entry, entry); err != nil || moved != 0 {
		t.Errorf("at the entry: %d, %v", moved, err)
	}
	if moved, err := table.Moved(entry, uint64(pc)); err != nil || moved < 1024 || moved > 8192 {
		t.Errorf("inside: %d, %v", moved, err)
	}
	for _, wrong := range [][2]uint64{{entry + 1, uint64(pc)}, {entry, entry - 1}, {entry, entry + 1<<20}, {0, 0}, {^uint64(0), ^uint64(0)}} {
		if moved, err := table.Moved(wrong[0], wrong[1]); err == nil {
			t.Errorf("%#x: %d", wrong, moved)
		}
	}
}

// TestEveryFunctionIsDescribed fails if the layout is not as expected. A table that
// is read wrongly soon ends, or gives impossible values.
func TestEveryFunctionIsDescribed(t *testing.T) {
	table := own(t)
	if table.n < 1000 {
		t.Fatalf("%d functions", table.n)
	}
	for i := 0; i < table.n; i++ {
		entry := table.text + table.entry(i)
		f := runtime.FuncForPC(uintptr(entry))
		if f == nil || uint64(f.Entry()) != entry {
			t.Fatalf("function %d is said to begin at %#x", i, entry)
		}
		if strings.HasPrefix(f.Name(), "go:") {
			continue // a symbol of the linker, without code
		}
		if _, err := table.Moved(entry, entry); err != nil && table.entry(i+1) > table.entry(i) {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
}

func TestOtherFilesAreNoTables(t *testing.T) {
	for _, path := range []string{"/proc/self/status", "/no/such/file"} {
		if _, err := Read(path); err == nil {
			t.Errorf("%s has a table", path)
		}
	}
}

// FuzzTable parses tables with arbitrary bytes.
func FuzzTable(f *testing.F) {
	exe, err := elf.Open("/proc/self/exe")
	if err != nil {
		f.Fatal(err)
	}
	defer exe.Close()
	data, err := exe.Section(section).Data()
	if err != nil {
		f.Fatal(err)
	}
	const text = 0x1000
	f.Add(data[:4096], uint64(text), uint64(text))
	// The table has one function of four bytes, which moves the stack pointer by 15
	// at once.
	small := make([]byte, 128)
	binary.LittleEndian.PutUint32(small, magic120)
	small[6], small[7] = 1, 8
	binary.LittleEndian.PutUint64(small[8+8*wordNfunc:], 1)
	binary.LittleEndian.PutUint64(small[8+8*wordPctab:], 72)
	binary.LittleEndian.PutUint64(small[8+8*wordFuncs:], 80)
	copy(small[72:], []byte{32, 4, 0})
	binary.LittleEndian.PutUint32(small[84:], 16) // struct _func
	binary.LittleEndian.PutUint32(small[88:], 4)  // the end
	f.Add(small, uint64(text), uint64(text+3))
	table, err := parse(small, binary.LittleEndian, text)
	if err != nil {
		f.Fatal(err)
	}
	if moved, err := table.Moved(text, text+3); err != nil || moved != 15 {
		f.Fatalf("%d, %v", moved, err)
	}
	f.Fuzz(func(t *testing.T, data []byte, entry, pc uint64) {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			table, err := parse(data, order, text)
			if err != nil {
				continue
			}
			if moved, err := table.Moved(entry, pc); err == nil && moved > 1<<31 {
				t.Errorf("moved by %#x", moved)
			}
		}
	})
}
