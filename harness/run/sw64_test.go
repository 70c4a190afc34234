package run

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/guest/guestimage"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/poc/catalog"
	"github.com/mapstack/conformance/poc/stage0"
)

// vendor supplies the parts of sw64 that the test names.
type vendor struct{ parts local.Parts }

func (v vendor) Parts(rec arch.Record, given bool) (local.Parts, error) {
	return v.parts, v.parts.Missing(rec, given)
}

// disked is a guest image with a disk.
type disked struct{ image guestimage.Image }

func (d disked) Image(context.Context, arch.Record) (guestimage.Image, error) { return d.image, nil }

// guestDisk writes a file that looks like a disk with the guest's files, and returns its path and
// its content.
func guestDisk(t *testing.T) (path string, text []byte) {
	t.Helper()
	path, text = filepath.Join(t.TempDir(), "root.ext4"), make([]byte, 4096)
	copy(text[0x438:], "\x53\xef")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path, text
}

// TestTheVendorsEmulatorIsDriven plays the public port of QEMU to sw64, because no kernel
// for it can be downloaded.
func TestTheVendorsEmulatorIsDriven(t *testing.T) {
	whole := local.Parts{Kernel: "/k", QEMU: "/q", GOROOT: "/g"}
	for name, tc := range map[string]struct {
		script string
		parts  local.Parts
		cpus   int
		bare   bool
		kind   failure.Kind // "" for a cell that ran
		want   string
	}{
		"it behaves":            {"sw64 behaves", whole, 1, false, "", "saves no registers of its CPUs"},
		"a kernel was given":    {"sw64 behaves", local.Parts{QEMU: "/q", GOROOT: "/g"}, 1, false, "", "saves no registers of its CPUs"},
		"nothing was supplied":  {"sw64 behaves", local.Parts{}, 1, false, failure.Missing, "SW64_KERNEL="},
		"an unknown machine":    {"sw64 behaves", local.Parts{Kernel: "/k", QEMU: "/q", Machine: "core9"}, 1, false, failure.Infra, "core9"},
		"a machine it has not":  {"sw64 behaves", local.Parts{Kernel: "/k", QEMU: "/q", Machine: "core4"}, 1, false, failure.Infra, "unsupported machine type core4"},
		"the other machine":     {"sw64 has core4", local.Parts{Kernel: "/k", QEMU: "/q", GOROOT: "/g", Machine: "core4"}, 1, false, "", "saves no registers of its CPUs"},
		"no firmware":           {"sw64 without firmware", whole, 1, false, failure.Infra, "no core3-hmcode provided"},
		"a kernel of others":    {"sw64 cannot load", whole, 1, false, failure.Infra, "could not load kernel"},
		"several CPUs":          {"sw64 behaves", whole, 2, false, "", "saves no registers of its CPUs"},
		"more CPUs than it has": {"sw64 behaves", whole, 33, false, failure.Infra, "The max CPUs supported by machine 'core3' is 32"},
		"no toolchain":          {"sw64 has no agent", local.Parts{Kernel: "/k", QEMU: "/q"}, 1, true, failure.Missing, "SW64_GOROOT="},
		"the kernel has no ABI": {"is alpha's", whole, 1, false, failure.Panic, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait for fakes
			disk, text := guestDisk(t)
			e, events := scripted(t, tc.script)
			e.Supplies, e.Images = vendor{tc.parts}, disked{guestimage.Image{Path: "/nowhere/initrd", Disk: disk, Bare: tc.bare}}
			folder, err := evidence.Create(t.TempDir(), testTime)
			if err != nil {
				t.Fatal(err)
			}
			c := cell("board", "sw64", 64)
			c.CPUs = tc.cpus
			if tc.parts.Kernel == "" && tc.parts.QEMU != "" {
				c.Kernel.From = matrix.Given
			}
			results, err := e.Cells(t.Context(), bound(e, c), map[string][]string{"board": {"p", "q", "r", stage0.Probe}}, folder)
			if err != nil {
				t.Fatal(err)
			}
			got := results[0]
			if tc.kind == "" {
				if got.Failure != nil || len(got.Transcripts["p"].Observations) == 0 || got.Runs["p"].Guest != evidence.Booted || !strings.Contains(got.Guest.BootReason, tc.want) {
					t.Errorf("failure %v, run %+v, guest %+v", got.Failure, got.Runs["p"], got.Guest)
				}
				return
			}
			if got.Failure == nil || got.Failure.Kind != tc.kind || !strings.Contains(got.Failure.Message, tc.want) {
				t.Fatalf("%v, want %s with %q", got.Failure, tc.kind, tc.want)
			}
			if early := got.Transcripts[stage0.Probe]; tc.bare && (len(early.Observations) != 2 || !early.Exit.Clean()) {
				t.Errorf("what stage 0 saw alone is not kept: %+v", got.Transcripts)
			}
			if tc.bare && boots(*events) != 1 {
				t.Errorf("%d guests were booted to see that only stage 0 can run", boots(*events))
			}
			if after, err := os.ReadFile(disk); err != nil || !bytes.Equal(after, text) {
				t.Errorf("the disk was written to, %v", err)
			}
		})
	}
}

// TestAWholeRunOnABoardBootsTwice fails if a board whose guests cannot be saved boots for every
// probe: one guest is for those that leave nothing behind, and one for those that use up what the
// machine has. With --isolate every probe has its own.
func TestAWholeRunOnABoardBootsTwice(t *testing.T) {
	var probes []string
	for _, p := range catalog.Programs() {
		if !p.Assembled && !p.Hosted && p.Name != catalog.Facts && p.Name != catalog.Inject && p.Name != catalog.Load && p.Name != catalog.OSLimits && p.Name != "hostile" {
			probes = append(probes, p.Name)
		}
	}
	disk, _ := guestDisk(t)
	for isolate, want := range map[bool]int{false: 2, true: len(probes)} {
		e, events := scripted(t, "sw64 behaves")
		e.Isolate = isolate
		e.Supplies, e.Images = vendor{local.Parts{Kernel: "/k", QEMU: "/q", GOROOT: "/g"}}, disked{guestimage.Image{Path: "/nowhere/initrd", Disk: disk}}
		folder, err := evidence.Create(t.TempDir(), testTime)
		if err != nil {
			t.Fatal(err)
		}
		results, err := e.Cells(t.Context(), bound(e, cell("board", "sw64", 64)), map[string][]string{"board": append(probes, stage0.Probe)}, folder)
		if err != nil || results[0].Failure != nil || len(results[0].Runs) < len(probes) {
			t.Fatalf("%v, %+v", err, results[0])
		}
		if n := boots(*events); n != want {
			t.Errorf("isolate %t: %d boots for %d probes, want %d", isolate, n, len(probes), want)
		}
	}
}
