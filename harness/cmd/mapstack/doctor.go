package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/guest/prebuilt"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/gnu"
	"github.com/mapstack/conformance/harness/source/kernel"
)

func doctorCommand() *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say what is missing on this machine, and the command that supplies it",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cells, err := s.cells()
			if err != nil {
				return err
			}
			found := examine(cmd.Context(), cells, s.locked)
			missing, err := showFindings(cmd.OutOrStdout(), found)
			if err != nil {
				return err
			}
			if missing > 0 {
				return exitError(verdict.ExitInfrastructure)
			}
			return nil
		},
	}
	s.flags(cmd)
	return cmd
}

// finding is one thing that a run needs.
type finding struct {
	what   string
	state  string
	remedy string // the command that supplies it; empty when nothing is missing
}

func showFindings(w io.Writer, found []finding) (missing int, err error) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range found {
		mark := "ok"
		if f.remedy != "" {
			mark = "missing"
			missing++
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", mark, f.what, f.state)
		if f.remedy != "" {
			fmt.Fprintf(t, "\t\t-> %s\n", f.remedy)
		}
	}
	return missing, t.Flush()
}

// wantDisk is what the default matrix takes in an empty cache, in MiB.
const wantDisk = 4096

func examine(ctx context.Context, cells []matrix.Cell, locked bool) []finding {
	inside := prebuilt.Images() != nil
	found := programs(inside)
	if _, err := exec.LookPath("go"); err != nil && !inside {
		return append(found, finding{what: "Go", state: "not in PATH: it compiles the guest programs",
			remedy: "install the version in go.mod or later, then export PATH=$PATH:<its bin folder>"})
	}
	bench, err := workbench.Open(ctx, ".", fixtures.FS(), locked, progress.Discard)
	if err != nil {
		return append(found, finding{what: "workbench", state: oneLine(err.Error()),
			remedy: "mend what this names, then ask again"})
	}
	compiler := finding{what: "Go", state: "not needed: the guest programs are inside this program"}
	if !inside {
		compiler.state = bench.Tools.Version()
	}
	found = append(found, compiler, disk(bench.Cache.Root()), kvm())
	found = append(found, emulators(cells)...)
	found = append(found, parts(ctx, bench, cells)...)
	cells = slices.DeleteFunc(slices.Clone(cells), func(c matrix.Cell) bool { return c.Kernel.From == matrix.Supplied })
	if bench.MirrorProblem != nil {
		return append(found, mirror(oneLine(bench.MirrorProblem.Error())))
	}
	kernels, err := kernels(ctx, bench.Kernels, cells)
	if err != nil {
		return append(found, mirror(oneLine(err.Error())))
	}
	found = append(found, finding{what: "Debian mirror", state: "from " + bench.Client.Mirror().Source})
	return append(found, kernels...)
}

func mirror(problem string) finding {
	return finding{what: "Debian mirror", state: problem, remedy: "export MAPSTACK_MIRROR=<URL of a Debian mirror>"}
}

// resolver says which package holds a cell's kernel.
type resolver interface {
	Resolve(ctx context.Context, cell matrix.Cell) (kernel.Pin, error)
}

// kernels asks for the kernel of every cell. A mirror that cannot be reached
// is one error: asking it again for each cell would take minutes.
func kernels(ctx context.Context, from resolver, cells []matrix.Cell) (found []finding, err error) {
	for _, cell := range cells {
		f := finding{what: "kernel of " + cell.Name}
		switch pin, err := from.Resolve(ctx, cell); {
		case errors.Is(err, debian.ErrUnreachable):
			return nil, err
		case err != nil:
			f.state, f.remedy = oneLine(err.Error()), "mapstack fetch --cell "+cell.Name
		default:
			f.state = pin.Image.Package + " " + pin.Image.Version
		}
		found = append(found, f)
	}
	return found, nil
}

// parts are what no archive has: compilers for a kernel that is built here, and
// what the owner of a kernel supplies.
func parts(ctx context.Context, bench *workbench.Bench, cells []matrix.Cell) (found []finding) {
	seen := map[string]bool{}
	for _, cell := range cells {
		rec, err := arch.Lookup(cell.Arch)
		if err != nil || seen[rec.GOARCH] {
			continue
		}
		seen[rec.GOARCH] = true
		switch {
		case rec.GNU != "":
			f := finding{what: "compilers for " + rec.GOARCH}
			var missing *gnu.MissingError
			switch tools, err := gnu.Find(ctx, rec); {
			case errors.As(err, &missing):
				f.state, f.remedy = "not in PATH: "+strings.Join(missing.Lacks, ", "), missing.Remedy()
			case err != nil:
				f.state, f.remedy = err.Error(), "mend what this names, then ask again"
			default:
				f.state = tools.Target + "-gcc " + tools.Version
			}
			found = append(found, f)
		case rec.Supplied:
			f := finding{what: "a kernel of " + rec.GOARCH, state: "supplied"}
			var missing *local.MissingError
			if _, err := bench.Parts(rec); errors.As(err, &missing) {
				f.state, f.remedy = "no archive has one", "export "+strings.Join(missing.Lacks, "; export ")
			} else if err != nil {
				f.state, f.remedy = oneLine(err.Error()), "correct it, then ask again"
			}
			found = append(found, f)
		}
	}
	return found
}

// emulators are never missing: what is not in PATH comes from packages.
func emulators(cells []matrix.Cell) (found []finding) {
	seen := map[string]bool{}
	for _, cell := range cells {
		rec, err := arch.Lookup(cell.Arch)
		if err != nil || seen[rec.QEMU] || rec.Supplied {
			continue
		}
		seen[rec.QEMU] = true
		f := finding{what: "qemu-system-" + rec.QEMU}
		if f.state, err = exec.LookPath(f.what); err != nil {
			f.state = "not in PATH: from Debian packages; mapstack fetch --arch " + rec.GOARCH + " has them before a run"
		}
		found = append(found, f)
	}
	return found
}

// programs are used when they are there; none is needed.
func programs(inside bool) (found []finding) {
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
		found = append(found, finding{what: p.name, state: state})
	}
	return found
}

func disk(dir string) finding {
	f := finding{what: "cache", state: dir}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		f.state, f.remedy = err.Error(), "export XDG_CACHE_HOME=<a folder you can write to>"
		return f
	}
	free := int64(st.Bavail) * st.Bsize >> 20
	f.state = fmt.Sprintf("%s, %d MiB free", dir, free)
	if free < wantDisk {
		f.remedy = fmt.Sprintf("free %d MiB there, or export XDG_CACHE_HOME=<a folder on a larger disk>", wantDisk-free)
	}
	return f
}

// kvm is never missing: without it guests run under TCG.
func kvm() finding {
	f := finding{what: "KVM", state: "/dev/kvm opens; a run tries it before it believes it"}
	file, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		f.state = "guests run under TCG: " + errors.Unwrap(err).Error()
		return f
	}
	_ = file.Close()
	return f
}
