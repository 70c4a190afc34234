package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// supplied checks each part that the owner of a kernel supplies, without booting anything.
func supplied(ctx context.Context, bench *workbench.Bench, cell matrix.Cell, rec arch.Record) (found []Finding) {
	whole := Finding{What: "a kernel of " + rec.GOARCH, State: "supplied"}
	parts, err := bench.Parts(rec)
	var missing *local.MissingError
	if errors.As(err, &missing) {
		whole.State, whole.Remedy = "no archive has one", "export "+strings.Join(missing.Lacks, "; export ")
		return []Finding{whole}
	}
	if err != nil {
		whole.State, whole.Remedy = progress.Brief(err), "correct it, then run doctor again"
		return []Finding{whole}
	}
	add := func(part, what, state string, err error) bool {
		f := Finding{What: what, State: state}
		if err != nil {
			f.State, f.Remedy = progress.Brief(err), "correct "+local.Variable(rec, part)+", then run doctor again"
		}
		found = append(found, f)
		return err == nil
	}
	emulator, err := bench.Toolbox.Find(ctx, rec)
	works := add("QEMU", "qemu-system-"+rec.QEMU, emulator.Version, err)
	machine, err := rec.Machine(cmp.Or(parts.Machine, cell.Machine))
	if add("MACHINE", "machine", machine.Name, err) && works && machine.Firmware != "" {
		hash, err := emulator.Firmware(ctx, machine.Firmware)
		add("FIRMWARE", "firmware", machine.Firmware+", SHA-256 "+hash, err)
	}
	kernel, err := bench.Kernels.Image(ctx, cell)
	if add("KERNEL", whole.What, fmt.Sprintf("%s, release %s", kernel.Format, kernel.Release), err) {
		found = append(found, configured(kernel.Config, machine))
	}
	return append(found, compiles(ctx, bench, parts, rec))
}

// compiles checks the toolchain of the guest's programs.
func compiles(ctx context.Context, bench *workbench.Bench, parts local.Parts, rec arch.Record) Finding {
	name := local.Variable(rec, "GOROOT")
	f := Finding{What: "Go for " + rec.GOARCH}
	switch {
	case parts.GOROOT == "":
		f.State, f.Remedy = "none: only stage 0 can run", "export "+name+"=<a Go toolchain that compiles for it, 1.16 or later>"
	case bench.Tools == nil:
		f.State = "not used: the guest programs are inside this program"
	default:
		tools, err := bench.Tools.Supplied(ctx, parts.GOROOT)
		if err != nil {
			f.State, f.Remedy = progress.Brief(err), "correct "+name+", then run doctor again"
			break
		}
		f.State = tools.Version()
	}
	return f
}

// configured checks the configuration of a kernel, which is in the file of that path. Many
// kernels do not hold theirs.
func configured(path string, machine arch.Machine) Finding {
	needed := machine.Drivers()
	f := Finding{What: "configuration of the kernel", State: "not in the kernel's file; it must have " + strings.Join(needed, ", ") + " built in"}
	if path == "" {
		return f
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.State, f.Remedy = progress.Brief(err), "run doctor again"
		return f
	}
	lines := strings.Split(string(text), "\n")
	lacks := slices.DeleteFunc(slices.Clone(needed), func(option string) bool { return slices.Contains(lines, option+"=y") })
	if len(lacks) > 0 {
		f.State = "not built in: " + strings.Join(lacks, ", ")
		f.Remedy = "set " + strings.Join(lacks, "=y, ") + "=y and build the kernel again"
		return f
	}
	f.State = "built in: " + strings.Join(needed, ", ")
	return f
}
