package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// runFlags holds the flags of `mapstack run`.
type runFlags struct {
	selection
	drawing
	onward
	focus, defect, out        string
	fresh, isolate, allowTwin bool
	strict                    bool
	programs                  string
	running                   subject.Running
	image, keyring            string
	kernelArgs                []string
	fullBoot                  bool
	login, password, firmware string
	baseline, exit, vendor    string
}

func (f *runFlags) flags(cmd *cobra.Command) {
	f.given(cmd)
	f.matrixFlag(cmd)
	cmd.Flags().Lookup("os").Usage = osUsage
	f.drawing.flags(cmd)
	set := cmd.Flags()
	focusFlag(cmd, &f.focus)
	set.StringVar(&f.defect, "defect", "", "inject this defect below the probes, as if the kernel had it; such a run certifies nothing")
	set.BoolVar(&f.isolate, "isolate", false, "give every probe a guest of its own, also those that leave nothing behind")
	set.BoolVar(&f.fresh, "fresh", false, "boot guests instead of restoring them from a snapshot")
	set.BoolVar(&f.allowTwin, "allow-twin", false, "if there is no real kernel of the architecture, exit as the twin and the models decide")
	set.BoolVar(&f.strict, "strict", false, strictUsage)
	set.StringVar(&f.exit, "exit", "verdict", "what the exit status says: verdict, or bisect for git bisect run (0 good, 1 bad, 125 everything else)")
	set.StringVar(&f.baseline, "baseline", "", "after the run, show what changed against this finished run, given as DIR or DIR@CELL; a regression ends a conformant run with 1")
	set.StringVar(&f.vendor, "vendor", "", "the file that certify takes; reports then name its product as what was tested")
	set.StringVar(&f.running.Target, "target", "", "run the probes in a system that runs already: native (this one), ssh://user@host[:port], or user (a user-mode emulator of --arch)")
	set.StringArrayVar(&f.kernelArgs, "kernel-arg", nil, "add this kernel parameter, K or K=V; reports say that it was added (may be repeated)")

	// A running system, or one that is booted whole, is tested as it is.
	for _, whole := range []string{"target", "full-boot"} {
		for _, changes := range []string{"defect", "cell", "kernel", "kernel-arg"} {
			cmd.MarkFlagsMutuallyExclusive(whole, changes)
		}
	}
	for _, given := range []string{"target", "os-image"} {
		cmd.MarkFlagsMutuallyExclusive("matrix", given)
	}
	cmd.MarkFlagsMutuallyExclusive("target", "full-boot")
	cmd.MarkFlagsMutuallyExclusive("target", "os-image")
	f.onward.flags(cmd)
}

// given adds the flags that say what a run boots, and what it may use for that.
func (f *runFlags) given(cmd *cobra.Command) {
	f.selection.flags(cmd)
	set := cmd.Flags()
	set.Lookup("kernel").Usage = "only these kernel series, such as 6.1 or newest (comma-separated); or a kernel of yours, by a path with a slash: a kernel file, a .deb, a .rpm or a yum repository"
	f.talk.flags(cmd)
	set.StringVar(&f.programs, "guest-agent", "", "folder with the agent and probes to run instead of ours: the program guest, which you compiled from poc/guest with your own Go")
	set.StringVar(&f.out, "out", "out", "folder for evidence and reports")
	set.BoolVar(&f.running.Destructive, "destructive", false, "also run probes that can disrupt other users of the target")

	set.StringVar(&f.image, "os-image", "", "image of a system's disk (raw or qcow2, also compressed): test its kernel with its settings; nothing is written to the image")
	set.StringVar(&f.os, "os", "", "the system that the kernel belongs to, such as uos or kylin (default: what the file or the image says)")
	set.StringVar(&f.keyring, "keyring", "", "file of the OpenPGP keys that may sign the yum repository which --kernel names")

	set.BoolVar(&f.fullBoot, "full-boot", false, "boot the system on --os-image by its own boot loader, and run the probes in it; nothing is written to the image")
	set.StringVar(&f.login, "login", "root", "the user who logs in on the serial console of a full boot")
	set.StringVar(&f.password, "password-file", "", "file with the password of --login; leave it out for an account without one")
	set.StringVar(&f.firmware, "firmware", "", "firmware that a full boot starts with, such as OVMF.fd (default: QEMU's own)")

	// An image makes a cell of its own.
	cmd.MarkFlagsMutuallyExclusive("cell", "os-image")
}

// osUsage explains --os of a run.
const osUsage = "with a kernel or an image: the system that it belongs to, such as uos or kylin (default: what the file or the image says). Without: run the products of this system whose images you supply, and list the others; mapstack list shows them"

// strictUsage explains --strict, which means the same to every command that ends with a
// verdict.
const strictUsage = "also count failures that fixtures/known-failures.yaml or the matrix file lists, and exit with 1 for them"

// offlineUsage explains --offline, which means the same to every command that may download.
const offlineUsage = "download nothing, as MAPSTACK_OFFLINE=1 does; a file that the cache lacks is an error that names it. Implies --locked"

// file returns the file or the repository that --kernel names; "" if it names a series. Only
// a value with a slash is a path.
func (f *runFlags) file() string {
	if strings.ContainsRune(f.Kernel, filepath.Separator) {
		return f.Kernel
	}
	return ""
}

// subjects returns what the run is to test.
func (f *runFlags) subjects() (chosen, error) {
	file := f.file()
	switch {
	case f.fullBoot && f.image == "":
		return chosen{}, errors.New("--full-boot boots the system on a disk; --os-image must name the image of the disk")
	case file != "" && f.Cell != "":
		return chosen{}, fmt.Errorf("--kernel %s makes a cell of its own; leave out --cell", file)
	case file != "" && f.matrix != "" && f.matrix != noMatrix:
		return chosen{}, fmt.Errorf("--kernel %s makes a cell of its own; leave out --matrix", file)
	case file == "" && f.Kernel != "" && f.image != "":
		return chosen{}, fmt.Errorf("--kernel %s is a kernel series, and --os-image has a kernel of its own; leave out one of them%s", f.Kernel, f.hint())
	}
	if err := f.present(); err != nil {
		return chosen{}, err
	}
	given := f.selection
	own := f.running.Target != "" || f.image != "" || file != ""
	if own && given.Skip != "" {
		return chosen{}, fmt.Errorf("--skip %s is no claim and no suite, and this run has one system, which cannot be left out", given.Skip)
	}
	if own {
		given.discovers, given.os = false, ""
	}
	if file != "" {
		given.Kernel = ""
	}
	c, err := given.chosen()
	if err != nil {
		return chosen{}, fmt.Errorf("%w%s", err, f.hint())
	}
	if f.running.Target != "" {
		if err := (subject.Running{Target: f.running.Target, Arch: f.Arch}).Check(); err != nil {
			return chosen{}, err
		}
	}
	if own {
		if err := injectable(f.defect, c.cells); err != nil {
			return chosen{}, err
		}
		return chosen{subjects: []subject.Subject{f.own(file)}}, nil
	}
	for i, s := range c.subjects {
		if l, ok := s.(subject.Listed); ok {
			if l.Alone() && f.defect+strings.Join(f.kernelArgs, "") != "" {
				return chosen{}, fmt.Errorf("%s: cell %s is tested as it runs, without --defect and --kernel-arg; select other cells with --cell", l.Place, l.Name)
			}
			l.Destructive = l.Destructive || f.running.Destructive
			c.subjects[i] = l
		}
	}
	return c, injectable(f.defect, slices.DeleteFunc(slices.Clone(c.cells), func(c matrix.Cell) bool { return c.Arch == "" }))
}

// present refuses files that are not there, before anything is made for the run.
func (f *runFlags) present() error {
	kernel := f.file()
	if strings.Contains(kernel, "://") {
		kernel = ""
	}
	for _, p := range []struct {
		flag, path   string
		file, folder bool // which of them it may be
	}{
		{"os-image", f.image, true, false}, {"kernel", kernel, true, true}, {"keyring", f.keyring, true, false}, {"guest-agent", f.programs, false, true},
		{"firmware", f.firmware, true, false}, {"password-file", f.password, true, false},
	} {
		if p.path == "" {
			continue
		}
		switch info, err := os.Stat(p.path); {
		case err != nil:
			return fmt.Errorf("--%s %s: %w; correct the path", p.flag, p.path, errors.Unwrap(err))
		case info.IsDir() && !p.folder:
			return fmt.Errorf("--%s %s is a folder; name a file", p.flag, p.path)
		case !info.IsDir() && !p.file:
			return fmt.Errorf("--%s %s is a file; name a folder", p.flag, p.path)
		}
	}
	return nil
}

// own returns what the flags name besides cells. file is the kernel, or "".
func (f *runFlags) own(file string) subject.Subject {
	switch {
	case f.running.Target != "":
		f.running.Arch = ""
		if f.running.Target == string(matrix.UserMode) {
			f.running.Arch = f.Arch
		}
		return f.running
	case f.fullBoot:
		return subject.FullBoot{Image: f.image, Arch: f.Arch, Login: f.login, PasswordFile: f.password, Firmware: f.firmware, Destructive: f.running.Destructive}
	case file != "":
		return subject.Kernel{File: file, Image: f.image, Arch: f.Arch, OS: f.os, Keyring: f.keyring}
	}
	return subject.Image{File: f.image, Arch: f.Arch, OS: f.os}
}

// hint mentions a file that has the same name as the series that was asked for.
func (f *runFlags) hint() string {
	info, err := os.Stat(f.Kernel)
	if f.Kernel == "" || f.file() != "" || err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return fmt.Sprintf("; there is a file %s here: --kernel ./%s takes it", f.Kernel, f.Kernel)
}

// options returns what the run asks of its bench.
func (f *runFlags) options(sink progress.Sink) (workbench.Options, error) {
	o := f.selection.options(sink)
	if f.vendor != "" {
		v, err := readVendor(f.vendor)
		if err != nil {
			return o, err
		}
		o.Product = v.Tested()
	}
	o.Programs, o.Defect, o.Fresh, o.Isolate = f.programs, f.defect, f.fresh, f.isolate
	for _, a := range f.kernelArgs {
		if a == "" || strings.ContainsAny(a, " \t\n\"") {
			return o, fmt.Errorf("--kernel-arg %q is empty, or has a space or a quote; give one parameter, K or K=V", a)
		}
		o.Params = append(o.Params, arch.Param{Value: a, Reason: arch.Asked})
	}
	return o, nil
}
