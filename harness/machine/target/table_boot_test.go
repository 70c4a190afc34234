//go:build boot

package target_test

import (
	"io"
	"testing"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// TestBootOneTableForEveryTarget runs the table with a real kernel in a real QEMU, and with
// the systems that run already.
func TestBootOneTableForEveryTarget(t *testing.T) {
	guest := row{"qemu", func(t *testing.T) opened {
		cells, err := matrix.Load(fixtures.FS())
		if err != nil {
			t.Fatal(err)
		}
		chosen, err := matrix.Select(cells, matrix.Selection{Cell: "amd64-debian12-6.1"})
		if err != nil {
			t.Fatal(err)
		}
		bench, err := workbench.Open(t.Context(), workbench.Options{Dir: ".", Data: fixtures.FS(), Sink: progress.Discard})
		if err != nil {
			t.Fatal(err)
		}
		origin, err := bench.Engine().Open(t.Context(), bench.Bind(chosen[0])[0], io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return opened{origin, chosen[0].Arch, evidence.Restored, nil}
	}}
	for _, r := range append(running(), guest) {
		t.Run(r.name, r.check)
	}
}
