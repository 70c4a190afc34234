package run

import (
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/progress"
)

// BenchmarkScale runs synthetic cells on a fake QEMU. The CPU time of the harness for a
// probe run, and its memory for a cell, must not grow with the matrix.
func BenchmarkScale(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			e, _ := scripted(b, "behaves")
			e.Sink = progress.Discard
			cells, probes := make([]matrix.Cell, n), make(map[string][]string, n)
			for i := range cells {
				cells[i] = cell(fmt.Sprintf("c%d", i), "amd64", 64)
				probes[cells[i].Name] = []string{"p"}
			}
			for b.Loop() {
				folder, err := evidence.Create(b.TempDir(), testTime)
				if err != nil {
					b.Fatal(err)
				}
				before := cpuSeconds(b)
				results, err := e.Cells(b.Context(), bound(e, cells...), probes, folder)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric((cpuSeconds(b)-before)*1000/float64(n), "harness-ms/probe")
				for _, r := range results {
					if r.Failure != nil || r.Runs["p"].Failure != nil {
						b.Fatal(r.Failure, r.Runs["p"].Failure)
					}
				}
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapAlloc)/float64(n)/1024, "kept-KiB/cell")
			}
		})
	}
}

func cpuSeconds(b testing.TB) float64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
