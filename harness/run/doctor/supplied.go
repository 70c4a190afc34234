package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// supplied checks each part that the owner of a kernel supplies, without booting anything.
func supplied(ctx context.Context, bench *workbench.Bench, cell matrix.Cell, rec arch.Record) (found []Finding) {
	whole := Finding{What: "a kernel of " + rec.GOARCH, State: "supplied"}
	parts, err := bench.Parts(rec, false)
	var missing *local.MissingError
	if errors.As(err, &missing) {
		whole.State, whole.Remedy = "no archive has one", "export "+strings.Join(missing.Lacks, "; export ")
		return []Finding{whole}
	}
	if err != nil {
		whole.State, whole.Remedy = progress.Brief(err), "correct it, then run doctor again"
		return []Finding{whole}
	}
	named, err := bench.Kernels.Config(namedFeatures)
	if err != nil {
		whole.State, whole.Remedy = progress.Brief(err), "use a whole copy of mapstack"
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
	state := machine.Name
	if err == nil && works {
		state, err = offered(ctx, emulator, machine)
	}
	if add("MACHINE", "machine", state, err) && works && machine.Firmware != "" {
		hash, err := emulator.Firmware(ctx, machine.Firmware)
		add("FIRMWARE", "firmware", machine.Firmware+", SHA-256 "+hash, err)
	}
	kernel, err := bench.Kernels.Image(ctx, cell)
	if add("KERNEL", whole.What, fmt.Sprintf("%s, release %s", kernel.Format, kernel.Release), err) {
		found = append(found, configured(kernel.Config, machine, named)...)
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
	case bench.ToolsProblem != nil:
		f.State = "not tried: it compiles sources of a checkout, and this is none"
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

// offered returns the machine's name with those that the emulator offers. The error says that it
// does not offer this one.
func offered(ctx context.Context, emulator toolbox.QEMU, machine arch.Machine) (string, error) {
	names, err := emulator.Machines(ctx)
	if err != nil {
		return "", err
	}
	if !slices.Contains(names, machine.Name) {
		return "", fmt.Errorf("the emulator has no machine %s; it has %s", machine.Name, strings.Join(names, ", "))
	}
	return fmt.Sprintf("%s; the emulator offers %s", machine.Name, strings.Join(names, ", ")), nil
}

// namedFeatures is the fragment of the fixtures with every option that a claim names.
const namedFeatures = "full"

// configured checks the configuration of a kernel, which is in the file of that path: what the
// machine needs, and what claims name as features, which is the text of a fragment. Many kernels
// do not hold their configuration.
func configured(path string, machine arch.Machine, named []byte) []Finding {
	needed := machine.Needs()
	f := Finding{What: "configuration of the kernel", State: "not in the kernel's file; it must have " + strings.Join(needed, ", ") + " built in"}
	if path == "" {
		return []Finding{f}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		f.State, f.Remedy = progress.Brief(err), "run doctor again"
		return []Finding{f}
	}
	on := strings.Split(string(text), "\n")
	f.State = "built in: " + strings.Join(needed, ", ")
	if lacks := without(on, needed); len(lacks) > 0 {
		f.State = "not built in: " + strings.Join(lacks, ", ")
		f.Remedy = "set " + strings.Join(lacks, "=y, ") + "=y and build the kernel again, or boot the whole system: mapstack run --os-image DISK --full-boot"
	}
	features := Finding{What: "features that claims name", State: "all are on"}
	if lacks := without(on, options(named)); len(lacks) > 0 {
		features.State = "without " + strings.Join(lacks, ", ") + "; the claims about these will be unsupported"
	}
	return []Finding{f, features}
}

// without returns the options that a configuration, line by line, has not built in.
func without(on, options []string) []string {
	return slices.DeleteFunc(slices.Clone(options), func(option string) bool { return slices.Contains(on, option+"=y") })
}

// options returns the options that a fragment of a configuration builds in, in its order.
func options(fragment []byte) (names []string) {
	for line := range strings.Lines(string(fragment)) {
		if name, built := strings.CutSuffix(strings.TrimSpace(line), "=y"); built {
			names = append(names, name)
		}
	}
	return names
}
