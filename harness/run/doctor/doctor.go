// Package doctor finds out what a machine lacks for a run, and the command that supplies it.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/compiler"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// Finding is one thing that a run needs.
type Finding struct {
	What   string `json:"what"`
	State  string `json:"state"`
	Remedy string `json:"remedy,omitempty"` // the command that supplies it; "" if nothing is missing
}

// wantDisk is the disk space in MiB that the default matrix fills in an empty cache.
const wantDisk = 4096

// Examine checks this machine for everything that a run of the cells needs. A missing thing
// comes with the command that supplies it.
func Examine(ctx context.Context, cells []matrix.Cell, o workbench.Options) []Finding {
	inside := prebuilt.Images() != nil
	found := programs(inside)
	o.Guestless = true
	bench, err := workbench.Open(ctx, o)
	if err != nil {
		return append(found, Finding{What: "workbench", State: progress.Brief(err),
			Remedy: "correct what this names, then run doctor again"})
	}
	found = append(found, tools(bench, inside), disk(bench.Cache.Root()), kvm())
	found = append(found, emulators(cells)...)
	found = append(found, parts(ctx, bench, cells)...)
	cells = slices.DeleteFunc(slices.Clone(cells), func(c matrix.Cell) bool {
		return c.Kernel.From == matrix.Supplied || c.Kernel.From == matrix.Given || c.Host != ""
	})
	if bench.MirrorProblem != nil {
		return append(found, mirror(progress.Brief(bench.MirrorProblem)))
	}
	kernels, err := kernels(ctx, bench.Kernels, cells)
	if err != nil {
		return append(found, mirror(progress.Brief(err)))
	}
	found = append(found, Finding{What: "Debian mirror", State: "from " + bench.Client.Mirror().Source})
	return append(found, kernels...)
}

// tools finds what compiles the guest programs.
func tools(bench *workbench.Bench, inside bool) Finding {
	f := Finding{What: "Go", State: "not needed: the guest programs are inside this program"}
	switch _, missing := exec.LookPath("go"); {
	case inside:
	case bench.ToolsProblem == nil:
		f.State = bench.Tools.Version()
	case missing != nil:
		f.State, f.Remedy = "not in PATH: it compiles the guest programs", "install the version in go.mod or later, then export PATH=$PATH:<its bin folder>"
	default:
		f = Finding{What: "guest programs", State: progress.Brief(bench.ToolsProblem), Remedy: "cd <a checkout of mapstack>, or take a program of make dist"}
	}
	return f
}

func mirror(problem string) Finding {
	return Finding{What: "Debian mirror", State: problem, Remedy: "export MAPSTACK_MIRROR=<URL of a Debian mirror>"}
}

// resolver finds the package that holds a cell's kernel.
type resolver interface {
	Resolve(ctx context.Context, cell matrix.Cell) (kernel.Pin, error)
}

// kernels finds the kernel of every cell. It stops at a mirror that cannot be reached, since
// asking it again for each cell would take minutes.
func kernels(ctx context.Context, from resolver, cells []matrix.Cell) (found []Finding, err error) {
	for _, cell := range cells {
		f := Finding{What: "kernel of " + cell.Name}
		switch pin, err := from.Resolve(ctx, cell); {
		case errors.Is(err, debian.ErrUnreachable):
			return nil, err
		case err != nil:
			f.State, f.Remedy = progress.Brief(err), "mapstack fetch --cell "+cell.Name
		default:
			f.State = pin.Image.Package + " " + pin.Image.Version
		}
		found = append(found, f)
	}
	return found, nil
}

// parts checks what no archive has: compilers for a kernel that is built here, and the parts
// that the owner of a kernel supplies.
func parts(ctx context.Context, bench *workbench.Bench, cells []matrix.Cell) (found []Finding) {
	seen := map[string]bool{}
	for _, cell := range cells {
		rec, err := arch.Lookup(cell.Arch)
		compiled := rec.GNU != "" || cell.Kernel.From == matrix.Source
		if err != nil || seen[rec.GOARCH] || !compiled && !rec.Supplied {
			continue
		}
		seen[rec.GOARCH] = true
		switch {
		case compiled:
			found = append(found, compilers(ctx, rec))
		case rec.Supplied:
			found = append(found, supplied(ctx, bench, cell, rec)...)
		}
	}
	return found
}

// compilers checks what builds the kernels of an architecture.
func compilers(ctx context.Context, rec arch.Record) Finding {
	f := Finding{What: "compilers for " + rec.GOARCH}
	var missing *compiler.MissingError
	switch tools, err := compiler.ForKernel(ctx, rec); {
	case errors.As(err, &missing):
		f.State, f.Remedy = "not found: "+strings.Join(missing.Lacks, ", "), missing.Remedy()
	case err != nil:
		f.State, f.Remedy = progress.Brief(err), "correct what this names, then run doctor again"
	default:
		f.State = tools.String()
	}
	return f
}

// emulators finds the emulators. None is ever missing, because a run takes those that are not
// in PATH from packages.
func emulators(cells []matrix.Cell) (found []Finding) {
	seen := map[string]bool{}
	for _, cell := range cells {
		rec, err := arch.Lookup(cell.Arch)
		if err != nil || seen[rec.QEMU] || rec.Supplied {
			continue
		}
		seen[rec.QEMU] = true
		f := Finding{What: "qemu-system-" + rec.QEMU}
		if f.State, err = exec.LookPath(f.What); err != nil {
			f.State = "not in PATH; a run takes it from Debian packages, which mapstack fetch --arch " + rec.GOARCH + " gets beforehand"
		}
		found = append(found, f)
	}
	return found
}

// programs finds the programs that a run uses if they are in PATH. None of them is needed.
func programs(inside bool) (found []Finding) {
	type program struct{ name, without string }
	used := []program{{"xz", "the built-in decoder is used, which is half as fast"}}
	if !inside {
		used = append(used, program{"git", "reports will not name the revision"})
	}
	for _, p := range used {
		state := "not in PATH: " + p.without
		if path, err := exec.LookPath(p.name); err == nil {
			state = path
		}
		found = append(found, Finding{What: p.name, State: state})
	}
	return found
}

func disk(dir string) Finding {
	f := Finding{What: "cache", State: dir}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		f.State, f.Remedy = err.Error(), "export XDG_CACHE_HOME=<a folder you can write to>"
		return f
	}
	free := int64(st.Bavail) * st.Bsize >> 20
	f.State = fmt.Sprintf("%s, %d MiB free", dir, free)
	if free < wantDisk {
		f.Remedy = fmt.Sprintf("free %d MiB there, or export XDG_CACHE_HOME=<a folder on a larger disk>", wantDisk-free)
	}
	return f
}

// kvm checks KVM. It is never missing, because without it guests run under TCG.
func kvm() Finding {
	f := Finding{What: "KVM", State: "/dev/kvm opens; a run tries it before it believes it"}
	if err := qemu.OpenKVM(); err != nil {
		f.State = "guests run under TCG: " + errors.Unwrap(err).Error()
	}
	return f
}
