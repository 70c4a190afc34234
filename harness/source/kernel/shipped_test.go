package kernel

import (
	"bytes"
	"os"
	"testing"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

func TestTheShippedLockPinsExactlyTheShippedCells(t *testing.T) {
	read := func(name string) []byte {
		text, err := os.ReadFile("../../../fixtures/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	cells, err := matrix.Parse("cells.yaml", read("cells.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := read("kernels.lock")
	lock, err := ParseLock("kernels.lock", text)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, c := range cells {
		rec, err := arch.Lookup(c.Arch)
		if err != nil {
			t.Fatal(err)
		}
		packaged := rec.Debian
		switch c.Kernel.From {
		case matrix.Supplied:
			continue
		case matrix.Source:
			packaged = sourceArch
		}
		p, ok := lock.Find(c.Kernel.Suite, packaged, c.Kernel.Package)
		if !ok {
			t.Errorf("cell %s: its kernel is not in kernels.lock", c.Name)
			continue
		}
		if err := p.checkSeries(c.Kernel.Series); err != nil {
			t.Errorf("cell %s: %v", c.Name, err)
		}
		used[p.key()] = true
	}
	for _, p := range lock.Kernels {
		if !used[p.key()] {
			t.Errorf("kernels.lock has %s, which no cell uses", p.key())
		}
	}
	if again, err := lock.Marshal(); err != nil || !bytes.Equal(again, text) {
		t.Errorf("kernels.lock is not as it would be written (%v)", err)
	}
}
