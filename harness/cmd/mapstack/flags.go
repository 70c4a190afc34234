package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// runFlags is what `mapstack run` is asked for.
type runFlags struct {
	selection
	focus, defect, out        string
	fresh, allowTwin, offline bool
	programs                  string
	running                   subject.Running
	image, keyring, os        string
	kernelArgs                []string
	fullBoot                  bool
	login, password, firmware string
}

func (f *runFlags) flags(cmd *cobra.Command) {
	f.selection.flags(cmd)
	set := cmd.Flags()
	set.Lookup("kernel").Usage = "only these kernel series, such as 6.1 or newest; or a kernel that you hold, by a path with a slash: a kernel, a .deb, a .rpm, a yum repository"
	set.StringVar(&f.focus, "focus", "", "only these claims or suites, such as MS-003 or mmapabi")
	set.StringVar(&f.defect, "defect", "", "run the probes as on a kernel with this defect; certifies nothing")
	set.BoolVar(&f.fresh, "fresh", false, "boot a guest for every probe instead of restoring one that was booted before")
	set.BoolVar(&f.allowTwin, "allow-twin", false, "exit as the twin and the models decide where there is no real kernel of the architecture")
	set.BoolVar(&f.offline, "offline", false, "download nothing; a file that the cache lacks is an error that names it. Implies --locked")
	set.StringVar(&f.programs, "guest-agent", "", "folder of the agent and probes, static programs that you compiled with your own Go, to run instead of ours")
	set.StringVar(&f.out, "out", "out", "folder for evidence and reports")

	set.StringVar(&f.running.Target, "target", "", "run the probes in a system that runs already: native (this one), ssh://user@host[:port], or user (a user-mode emulator of --arch)")
	set.BoolVar(&f.running.Destructive, "destructive", false, "also run probes that can disrupt other users of the target")

	set.StringVar(&f.image, "os-image", "", "image of a system's disk (raw or qcow2, also compressed): test its kernel with its settings; it is never written to")
	set.StringVar(&f.os, "os", "", "the system that the kernel belongs to, such as uos, kylin, loongnix, openeuler, deepin or debian")
	set.StringVar(&f.keyring, "keyring", "", "file of the OpenPGP keys that may sign the yum repository which --kernel names")
	set.StringArrayVar(&f.kernelArgs, "kernel-arg", nil, "one more kernel parameter, K or K=V, as it is; reports say so (may be repeated)")

	set.BoolVar(&f.fullBoot, "full-boot", false, "boot the system on --os-image by its own boot loader, and run the probes in it; nothing is written to the image")
	set.StringVar(&f.login, "login", "root", "the user who logs in on the serial console of a full boot")
	set.StringVar(&f.password, "password-file", "", "file with the password of --login; none for an account without")
	set.StringVar(&f.firmware, "firmware", "", "firmware that a full boot starts with, such as OVMF.fd; QEMU's own without")

	// A system that runs already, or is booted whole, is tested as it is.
	for _, whole := range []string{"target", "full-boot"} {
		for _, changes := range []string{"defect", "cell", "kernel", "kernel-arg"} {
			cmd.MarkFlagsMutuallyExclusive(whole, changes)
		}
	}
	cmd.MarkFlagsMutuallyExclusive("target", "full-boot")
	cmd.MarkFlagsMutuallyExclusive("target", "os-image")
	// What is given makes a cell of its own.
	cmd.MarkFlagsMutuallyExclusive("cell", "os-image")
}

// file returns the kernel that --kernel names as a file or a repository: a value with a
// slash is a path, every other is a series.
func (f *runFlags) file() string {
	if strings.ContainsRune(f.Kernel, filepath.Separator) {
		return f.Kernel
	}
	return ""
}

// subjects returns what the run is to ask.
func (f *runFlags) subjects() ([]subject.Subject, error) {
	file := f.file()
	switch {
	case f.fullBoot && f.image == "":
		return nil, errors.New("--full-boot boots the system on a disk; --os-image must name the image")
	case file != "" && f.Cell != "":
		return nil, fmt.Errorf("--kernel %s makes a cell of its own; leave out --cell", file)
	case file == "" && f.Kernel != "" && f.image != "":
		return nil, fmt.Errorf("--kernel %s is a kernel series, and --os-image has a kernel of its own; leave out one of them%s", f.Kernel, f.hint())
	}
	given := f.selection
	if file != "" {
		given.Kernel = ""
	}
	cells, err := given.cells()
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, f.hint())
	}
	if err := injectable(f.defect, cells); err != nil {
		return nil, err
	}
	switch {
	case f.running.Target != "":
		f.running.Arch = f.Arch
		return []subject.Subject{f.running}, nil
	case f.fullBoot:
		return []subject.Subject{subject.FullBoot{Image: f.image, Arch: f.Arch, Login: f.login, PasswordFile: f.password,
			Firmware: f.firmware, Destructive: f.running.Destructive}}, nil
	case file != "":
		return []subject.Subject{subject.Kernel{File: file, Image: f.image, Arch: f.Arch, OS: f.os, Keyring: f.keyring}}, nil
	case f.image != "":
		return []subject.Subject{subject.Image{File: f.image, Arch: f.Arch, OS: f.os}}, nil
	}
	return subject.Cells(cells), nil
}

// hint mentions a file that has the name of the series which was asked for.
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
	o.Offline, o.Programs, o.Defect, o.Fresh = f.offline, f.programs, f.defect, f.fresh
	for _, a := range f.kernelArgs {
		if a == "" || strings.ContainsAny(a, " \t\n\"") {
			return o, fmt.Errorf("--kernel-arg %q is empty or has a character that splits it; give one parameter, K or K=V", a)
		}
		o.Params = append(o.Params, arch.Param{Value: a, Reason: "asked for with --kernel-arg; the kernel is not tested as it is shipped"})
	}
	return o, nil
}
