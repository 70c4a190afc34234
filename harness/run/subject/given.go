package subject

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
	"github.com/mapstack/conformance/harness/matrix/release"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// Kernel is a kernel that somebody holds: what a boot loader would load, a .deb, a .rpm,
// or the newest kernel of a yum repository.
type Kernel struct {
	File string // or the folder or URL of a repository
	// Image is a disk image of the kernel's system, whose settings the guest gets; "" for
	// none.
	Image string
	// Arch is the architecture, by any of its names. A repository needs it. For a file it is
	// "" or must agree with the kernel.
	Arch string
	// OS names the system that the kernel belongs to; "" for the name in the file.
	OS string
	// Keyring is the file of the keys that may sign a repository.
	Keyring string
	// Config is the kernel's configuration, where another package has it; nil for none.
	Config []byte
	// Apt says which kernel of an apt repository is meant; nil for a file or a yum repository.
	Apt *Apt
	Own
}

// Image is the image of a system's disk. The run tests the kernel that its boot loader takes
// by default, with the settings that the system has for its programs.
type Image struct {
	File string
	Arch string // as in Kernel
	OS   string // as in Kernel
	Own
}

// Own is what the owner of a kernel says of its cell. What is left out, mapstack decides.
type Own struct {
	Name            string // of the cell
	Called          string // the name of the file in reports, if File has another
	System          string // the product of an operating system; "" for none
	Series          string // the series that the kernel must be of
	Machine         string
	CPUs, MemoryMiB int
	Params          []arch.Param
	Policy          []matrix.Setting // of a kernel without an image
	Programs        string           // folder of an agent and probes
}

// The size of the guest that a given kernel runs in.
const (
	givenCPUs   = 1
	givenMemory = 1024 // MiB
)

// Bind finds the kernel and binds it to guests that boot it.
func (k Kernel) Bind(ctx context.Context, bench *workbench.Bench) (bound Bound, err error) {
	scratch, release, err := bench.Cache.Scratch()
	if err != nil {
		return Bound{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	var system intake.Found
	if k.Image != "" {
		system, err = opener(bench).Open(ctx, k.Image, scratch)
		if errors.Is(err, intake.ErrNoKernel) {
			err = nil // system.Unread says it
		}
		if err != nil {
			return Bound{}, err
		}
	}
	found, name, err := k.open(ctx, bench, scratch)
	if err != nil {
		return Bound{}, err
	}
	if found.Config == nil {
		found.Config = k.Config
	}
	if k.Image == "" {
		system = found
	} else {
		found.Unread = append(found.Unread, system.Unread...)
	}
	return k.bind(ctx, bench, cmp.Or(k.Called, name), found, system, k.Arch, k.OS)
}

// open finds the kernel in a file or in a repository. name is how reports call what holds it.
func (k Kernel) open(ctx context.Context, bench *workbench.Bench, scratch string) (found intake.Found, name string, err error) {
	name = filepath.Base(k.File)
	switch {
	case k.Apt != nil:
		r, err := k.apt(bench)
		if err != nil {
			return found, "", err
		}
		found, packages, err := r.Open(ctx, scratch)
		return found, path.Base(packages.Image.Filename), err
	case !intake.IsRepository(k.File):
		found, err = opener(bench).Open(ctx, k.File, scratch)
		return found, name, err
	}
	r, err := k.repository(bench)
	if err != nil {
		return found, "", err
	}
	found, err = r.Open(ctx, scratch)
	return found, name, err
}

// repository returns the yum repository that File names.
func (k Kernel) repository(bench *workbench.Bench) (r intake.Repository, err error) {
	if bench.Offline() && strings.Contains(k.File, "://") {
		return r, fmt.Errorf("read the repository %s: downloads are forbidden (--offline or MAPSTACK_OFFLINE=1); name a folder with a copy of it", k.File)
	}
	rec, err := arch.Lookup(k.Arch)
	if err != nil {
		return r, fmt.Errorf("a repository has kernels of several architectures; name one with --arch: %w", err)
	}
	r = intake.Repository{Where: k.File, Arch: rec.Uname, Opener: opener(bench),
		Seen: filepath.Join(bench.Cache.Root(), "revision-last"), AcceptOlder: bench.Getenv("MAPSTACK_ACCEPT_OLDER") == "yes"}
	if k.Keyring != "" {
		if r.Keyring, err = os.ReadFile(k.Keyring); err != nil {
			return r, fmt.Errorf("read --keyring: %w", err)
		}
	}
	return r, nil
}

// Bind finds the kernel on the disk and binds it to guests that boot it.
func (i Image) Bind(ctx context.Context, bench *workbench.Bench) (bound Bound, err error) {
	scratch, release, err := bench.Cache.Scratch()
	if err != nil {
		return Bound{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	found, err := opener(bench).Open(ctx, i.File, scratch)
	if err != nil {
		return Bound{}, err
	}
	return i.bind(ctx, bench, cmp.Or(i.Called, filepath.Base(i.File)), found, found, i.Arch, i.OS)
}

// bind makes a cell of a kernel that was found in the file called name. system is what was
// found about the system that the kernel belongs to. asked is the value of --arch, and called
// that of --os.
func (o Own) bind(ctx context.Context, bench *workbench.Bench, name string, found, system intake.Found, asked, called string) (Bound, error) {
	rec, machine, err := kernel.Architecture(ctx, bench.Kernels.Quarantine, found)
	if err != nil {
		return Bound{}, err
	}
	if asked != "" {
		if want, err := arch.Lookup(asked); err != nil || want.GOARCH != rec.GOARCH {
			return Bound{}, errors.Join(err, fmt.Errorf("the kernel in %s is for %s, and --arch says %s", name, rec.GOARCH, asked))
		}
	}
	title, id, err := title(called, system.OS)
	if err != nil {
		return Bound{}, err
	}
	applied, settings := intake.Apply(system.Policy)
	found.Policy = settings
	applied = append(applied, o.Policy...)
	words := slices.DeleteFunc([]string{"given", id, version(system.OS.Version), rec.GOARCH}, func(s string) bool { return s == "" })
	cell := matrix.Cell{
		Name: cmp.Or(o.Name, strings.Join(words, "-")), Arch: rec.GOARCH, OS: title, Machine: cmp.Or(o.Machine, machine),
		Kernel: matrix.Kernel{From: matrix.Given, Series: o.Series}, CPUs: cmp.Or(o.CPUs, givenCPUs), Memory: cmp.Or(o.MemoryMiB, givenMemory),
		Policy: applied, Params: o.Params, System: o.System,
	}
	guests := run.Guests{Kernel: func(ctx context.Context) (kernel.Image, error) {
		image, err := bench.Kernels.Found(ctx, name, found, rec)
		if err == nil {
			err = o.expected(image.Release)
		}
		return image, err
	}}
	if o.Programs != "" {
		guests.Images = bench.Programs(o.Programs)
	}
	return unowned(run.Bound{Cell: cell, Where: guests}), nil
}

// expected returns an error for a kernel that is not of the series that its owner names. One
// that does not say its release is checked by nobody.
func (o Own) expected(said string) error {
	r, err := release.Parse(said)
	if o.Series == "" || err != nil || fmt.Sprintf("%d.%d", r.Major, r.Minor) == o.Series {
		return nil
	}
	return &failure.Failure{Kind: failure.Mismatch, Message: fmt.Sprintf("cell %s is about Linux %s, and its kernel is %s; correct series or the kernel", o.Name, o.Series, said)}
}

// opener opens files that may be hostile.
func opener(bench *workbench.Bench) intake.Opener {
	return intake.Opener{Quarantine: bench.Kernels.Quarantine, Help: reader(bench)}
}

// reader returns a helper for disks that no library here reads. It reads them in a guest of
// this host's architecture. The kernel is the newest one that stays in its archive, if there
// is one.
func reader(bench *workbench.Bench) intake.Helper {
	return func(ctx context.Context, disk, format, to string) error {
		all, err := bench.Matrix()
		if err != nil {
			return err
		}
		cells, err := matrix.Select(all, matrix.Selection{Arch: runtime.GOARCH})
		if err != nil {
			return fmt.Errorf("find a kernel for a guest that reads disks: %w", err)
		}
		cell := cells[0]
		for _, c := range cells {
			if c.Kernel.Series != "newest" && !strings.Contains(c.Kernel.Suite, "-") && c.Focus == "" {
				cell = c // cells are in the order of their releases
			}
		}
		return bench.Reader(cell)(ctx, disk, format, to)
	}
}

// title returns the name of a system in reports, and a word for it in the cell's name. called
// is the user's name for it, and said is what the system says of itself.
func title(called string, said intake.OS) (title, id string, err error) {
	if s, ok := osname.LookupSystem(called); ok {
		return s.Title(), s.ID, nil
	}
	if called != "" {
		r, err := osname.Lookup(called)
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
	return cmp.Or(said.Name, said.ID), short(unnameable.ReplaceAllString(said.ID, "-")), nil
}

// version returns an operating system's version in the form that a cell's name allows; "" if
// it has none.
func version(text string) string {
	return short(strings.Trim(unnameable.ReplaceAllString(strings.ToLower(text), "-"), "-."))
}

// short cuts a word of a cell's name, which may have 64 characters in all.
func short(word string) string {
	const most = 24
	return word[:min(len(word), most)]
}

// unnameable matches characters that a cell's name must not have.
var unnameable = regexp.MustCompile(`[^a-z0-9.-]+`)
