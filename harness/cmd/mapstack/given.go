package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// given is the flags that make a cell of what somebody holds: a kernel, a package,
// the image of a disk.
type given struct {
	kernel string // a file; empty for the kernel on the image
	image  string // of the system's disk
	os     string // what the system is called, when nothing says so
	keys   string // file of the keys that may sign a yum repository
	args   []string
}

func (g *given) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&g.image, "os-image", "", "image of a system's disk (raw or qcow2, also compressed): its kernel and its sysctls; it is never written to")
	cmd.Flags().StringVar(&g.keys, "keyring", "", "file of the OpenPGP keys that may sign the yum repository which --kernel names")
	cmd.Flags().StringVar(&g.os, "os", "", "the system that the kernel belongs to, such as uos, kylin, loongnix, openeuler, deepin or debian")
	cmd.Flags().StringArrayVar(&g.args, "kernel-arg", nil, "one more kernel parameter, K or K=V, as it is; reports say so (may be repeated)")
}

// take moves a --kernel that is no series but a file to g.
func (g *given) take(s *selection) {
	if strings.ContainsRune(s.Kernel, filepath.Separator) {
		g.kernel, s.Kernel = s.Kernel, ""
		return
	}
	if info, err := os.Stat(s.Kernel); err == nil && s.Kernel != "" && info.Mode().IsRegular() {
		g.kernel, s.Kernel = s.Kernel, ""
	}
}

func (g given) any() bool { return g.kernel != "" || g.image != "" }

// asked are the parameters that the command line names. They go to the kernel as
// they are.
func (g given) asked() ([]arch.Param, error) {
	var params []arch.Param
	for _, a := range g.args {
		if a == "" || strings.ContainsAny(a, " \t\n\"") {
			return nil, fmt.Errorf("--kernel-arg %q is empty or has a character that splits it; give one parameter, K or K=V", a)
		}
		params = append(params, arch.Param{Value: a, Reason: "asked for with --kernel-arg; the kernel is not tested as it is shipped"})
	}
	return params, nil
}

// Bounds of the guest that a given kernel runs in.
const (
	givenCPUs   = 1
	givenMemory = 1024 // MiB
)

// cell finds the kernel and makes a cell of it, and tells the bench where it is.
func (g given) cell(ctx context.Context, bench *workbench.Bench, architecture string) (matrix.Cell, error) {
	scratch, err := os.MkdirTemp("", "mapstack-intake-")
	if err != nil {
		return matrix.Cell{}, fmt.Errorf("make a folder to unpack in: %w", err)
	}
	defer os.RemoveAll(scratch)
	var found, system intake.Found
	if g.image != "" {
		system, err = intake.Open(ctx, g.image, scratch, helper(bench))
		if errors.Is(err, intake.ErrNoKernel) && g.kernel != "" {
			err = nil // system.Unread says it
		}
		if err != nil {
			return matrix.Cell{}, err
		}
		found = system
	}
	if g.kernel != "" {
		if found, err = g.open(ctx, bench, architecture, scratch); err != nil {
			return matrix.Cell{}, err
		}
		if g.image == "" {
			system = found
		} else {
			found.Unread = append(found.Unread, system.Unread...)
		}
	}
	rec, err := kernel.Architecture(ctx, found)
	if err != nil {
		return matrix.Cell{}, err
	}
	if architecture != "" {
		if asked, err := arch.Lookup(architecture); err != nil || asked.GOARCH != rec.GOARCH {
			return matrix.Cell{}, errors.Join(err, fmt.Errorf("the kernel is for %s, and --arch says %s", rec.GOARCH, architecture))
		}
	}
	title, id, err := g.title(system.OS)
	if err != nil {
		return matrix.Cell{}, err
	}
	applied, settings := intake.Apply(system.Policy)
	found.Policy = settings
	bench.Kernels.Given = kernel.Given{Name: filepath.Base(cmp.Or(g.kernel, g.image)), Found: found}
	c := matrix.Cell{
		Name: strings.Join(slices.DeleteFunc([]string{"given", id, release(system.OS.Version), rec.GOARCH}, func(s string) bool { return s == "" }), "-"), Arch: rec.GOARCH, OS: title,
		Kernel: matrix.Kernel{From: matrix.Given}, CPUs: givenCPUs, Memory: givenMemory, Policy: applied,
	}
	if _, err := rec.Machine(""); err != nil {
		for _, name := range sortedMachines(rec) {
			c.Machine = name // the first by name where there is no default
			break
		}
	}
	return c, nil
}

// helper reads disks that no library here reads, with a kernel of this host's
// architecture: the newest one that stays in its archive, where there is one.
func helper(bench *workbench.Bench) intake.Helper {
	return func(ctx context.Context, disk, format, to string) error {
		all, err := matrix.Load(fixtures.FS())
		if err != nil {
			return err
		}
		if all, err = workbench.Bundled(all); err != nil {
			return err
		}
		cells, err := matrix.Select(all, matrix.Selection{Arch: runtime.GOARCH})
		if err != nil {
			return fmt.Errorf("find a kernel for a helper guest: %w", err)
		}
		cell := cells[0]
		for _, c := range cells {
			if c.Kernel.Series != "newest" && !strings.Contains(c.Kernel.Suite, "-") && c.Focus == "" {
				cell = c // they are in the order of their releases
			}
		}
		return bench.Helper(cell)(ctx, disk, format, to)
	}
}

// open finds the kernel in a file, or in a yum repository.
func (g given) open(ctx context.Context, bench *workbench.Bench, architecture, scratch string) (intake.Found, error) {
	if !intake.IsRepository(g.kernel) {
		return intake.Open(ctx, g.kernel, scratch, helper(bench))
	}
	rec, err := arch.Lookup(architecture)
	if err != nil {
		return intake.Found{}, fmt.Errorf("a repository has kernels of several architectures; --arch says which: %w", err)
	}
	r := intake.Repository{Where: g.kernel, Arch: rec.Uname}
	if g.keys != "" {
		if r.Keyring, err = os.ReadFile(g.keys); err != nil {
			return intake.Found{}, fmt.Errorf("read --keyring: %w", err)
		}
	}
	return r.Open(ctx, scratch)
}

func sortedMachines(rec arch.Record) []string {
	var names []string
	for n := range rec.Machines {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// title is what reports call the system, and a word for it in the cell's name.
func (g given) title(said intake.OS) (title, id string, err error) {
	if g.os != "" {
		r, err := osname.Lookup(g.os)
		if err != nil {
			return "", "", err
		}
		return r.Title(said.Name), r.ID, nil
	}
	for _, name := range append([]string{said.ID}, said.Like...) {
		if r, err := osname.Lookup(name); err == nil {
			return r.Title(said.Name), r.ID, nil
		}
	}
	if said.ID == "" {
		return "unknown; --os says which it is", "kernel", nil
	}
	return cmp.Or(said.Name, said.ID), notName.ReplaceAllString(said.ID, "-"), nil
}

// release is an operating system's in the name of a cell, "" when it has none.
func release(version string) string {
	return strings.Trim(notName.ReplaceAllString(strings.ToLower(version), "-"), "-.")
}

// notName is what a cell's name cannot have.
var notName = regexp.MustCompile(`[^a-z0-9.-]+`)
