package run

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/internal/fakeqemu"
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
				floor := bare(b, n)
				before := cpuSeconds(b)
				results, err := e.Cells(b.Context(), bound(e, cells...), probes, folder)
				if err != nil {
					b.Fatal(err)
				}
				harness := (cpuSeconds(b) - before) * 1000 / float64(n)
				b.ReportMetric(harness, "harness-ms/probe")
				b.ReportMetric(floor, "floor-ms/probe")
				b.ReportMetric(harness/floor, "harness/floor")
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

// bare returns the CPU time, in milliseconds, for which no harness can start a QEMU and learn
// what it says: that of starting and reaping the fake alone, with the pipes and the socket of
// a QEMU, two at a time as the host has cores. At most 200 are started.
func bare(b *testing.B, n int) float64 {
	b.Helper()
	n = min(n, 200)
	prefix := fakeqemu.Prefix("refuses")
	before := cpuSeconds(b)
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for range n {
		group.Go(func() error {
			cmd := exec.Command(prefix[0], prefix[1:]...)
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fds[0])
			theirs := os.NewFile(uintptr(fds[1]), "monitor")
			defer theirs.Close()
			cmd.ExtraFiles = []*os.File{theirs}
			if _, err := cmd.StdinPipe(); err != nil {
				return err
			}
			var ended *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &ended) {
				return fmt.Errorf("the fake that refuses did not: %v", err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return (cpuSeconds(b) - before) * 1000 / float64(n)
}

func cpuSeconds(b testing.TB) float64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
