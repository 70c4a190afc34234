// Package local finds the parts that a vendor supplies for an architecture whose kernels
// nobody can download: a kernel, an emulator with its firmware, and a Go toolchain.
package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/strictyaml"
)

// Parts holds what was supplied for one architecture. An empty field was not supplied.
type Parts struct {
	Kernel   string `yaml:"kernel"`   // path of a kernel file
	QEMU     string `yaml:"qemu"`     // path of qemu-system-<arch>
	Firmware string `yaml:"firmware"` // folder with the file that the machine loads first (QEMU's -L)
	GOROOT   string `yaml:"goroot"`   // of a Go toolchain with the architecture
	Machine  string `yaml:"machine"`  // short name in harness/matrix/arch; empty for the cell's
}

// part is one field of Parts.
type part struct {
	variable string // how the name of its environment variable ends
	value    *string
	what     string // what a message about a missing part asks for; "" if it is never missing
	folder   bool
	needed   bool
}

func (p *Parts) parts() []part {
	return []part{
		{kernelFile, &p.Kernel, "a kernel: a vmlinux, or the file that a boot loader would load", false, true},
		{"QEMU", &p.QEMU, "an emulator", false, true},
		{"FIRMWARE", &p.Firmware, "the folder of the emulator's firmware, its pc-bios", true, false},
		{goroot, &p.GOROOT, "a Go toolchain that compiles for it, 1.16 or later", true, false},
		{"MACHINE", &p.Machine, "", false, false},
	}
}

// The ends of the names of two variables: of the Go toolchain, and of the kernel.
const (
	goroot     = "GOROOT"
	kernelFile = "KERNEL"
)

// Variable returns the name of the environment variable for a part of an architecture.
func Variable(rec arch.Record, part string) string {
	return strings.ToUpper(rec.GOARCH) + "_" + part
}

// File is the file in the checkout that can name parts: for each GOARCH, the fields of
// Parts in lower case.
const File = "fixtures/local.yaml"

// Find returns what is supplied for an architecture. The environment comes before the file
// in root, which is not read if root is empty. QEMU may also be in PATH. Find checks that
// every named part exists.
func Find(rec arch.Record, env func(string) string, root string) (Parts, error) {
	var p Parts
	if root != "" {
		var err error
		if p, err = read(rec, filepath.Join(root, File)); err != nil {
			return Parts{}, err
		}
	}
	for _, f := range p.parts() {
		if v := env(Variable(rec, f.variable)); v != "" {
			*f.value = v
		}
	}
	if p.QEMU == "" {
		if path, err := exec.LookPath("qemu-system-" + rec.QEMU); err == nil {
			p.QEMU = path
		}
	}
	var problems []error
	for _, f := range p.parts() {
		if f.what == "" || *f.value == "" {
			continue
		}
		switch info, err := os.Stat(*f.value); {
		case err != nil:
			problems = append(problems, fmt.Errorf("%s is %q, which cannot be used: %w", Variable(rec, f.variable), *f.value, err))
		case info.IsDir() != f.folder:
			problems = append(problems, fmt.Errorf("%s is %q, which must be a %s", Variable(rec, f.variable), *f.value, kind(f.folder)))
		default:
			if *f.value, err = filepath.Abs(*f.value); err != nil {
				problems = append(problems, err)
			}
		}
	}
	if err := p.checkFirmware(rec); err != nil {
		problems = append(problems, err)
	}
	return p, errors.Join(problems...)
}

// checkFirmware checks that the named folder has the machine's firmware. Without it the
// emulator starts and prints nothing, for ever.
func (p Parts) checkFirmware(rec arch.Record) error {
	if p.Firmware == "" {
		return nil // the emulator may have its own
	}
	m, err := rec.Machine(p.Machine)
	if err != nil {
		return fmt.Errorf("%s: %w", Variable(rec, "MACHINE"), err)
	}
	if _, err := os.Stat(filepath.Join(p.Firmware, m.Firmware)); err != nil {
		return fmt.Errorf("%s is %q, and machine %s loads %s from there: %w", Variable(rec, "FIRMWARE"), p.Firmware, m.Name, m.Firmware, err)
	}
	return nil
}

// Setting parses a NAME=VALUE of the command line, which overrides the environment. NAME
// must be the variable of a part.
func Setting(rec arch.Record, text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if ok && value != "" {
		for _, f := range (&Parts{}).parts() {
			if name == Variable(rec, f.variable) {
				return name, value, nil
			}
		}
	}
	return "", "", fmt.Errorf("%q supplies nothing; give NAME=VALUE, where NAME is one of %s", text, strings.Join(Variables(rec), ", "))
}

// Variables returns the names that Find asks the environment for.
func Variables(rec arch.Record) []string {
	var names []string
	for _, f := range (&Parts{}).parts() {
		names = append(names, Variable(rec, f.variable))
	}
	return names
}

func kind(folder bool) string {
	if folder {
		return "folder"
	}
	return "file"
}

func read(rec arch.Record, path string) (Parts, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Parts{}, nil
	}
	if err != nil {
		return Parts{}, fmt.Errorf("read %s: %w", File, err)
	}
	defer file.Close()
	if err := mine(file, File, "set the variables"); err != nil {
		return Parts{}, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return Parts{}, fmt.Errorf("read %s: %w", File, err)
	}
	var all map[string]Parts
	if err := strictyaml.Decode(text, &all); err != nil {
		return Parts{}, fmt.Errorf("%s: %w", File, err)
	}
	for name := range all {
		if _, err := arch.Lookup(name); err != nil {
			return Parts{}, fmt.Errorf("%s: %w", File, err)
		}
	}
	return all[rec.GOARCH], nil
}

// maxFile bounds what is read of the file, in bytes.
const maxFile = 1 << 20

// Mine returns an error if somebody else may have written a file of that name: it names programs
// that are run. otherwise says what else the reader can do.
func Mine(name, otherwise string) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer file.Close()
	return mine(file, name, otherwise)
}

func mine(file *os.File, name, otherwise string) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user, and names programs to run; make it yours, or %s", name, otherwise)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("others may write to %s (mode %v), and it names programs to run; chmod o-w it, or %s", name, info.Mode().Perm(), otherwise)
	}
	return nil
}

// MissingError lists what was not supplied for an architecture.
type MissingError struct {
	Arch  arch.Record
	Lacks []string // one line each: the variable, and what it must name
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("no kernel of %s can be downloaded, and of what must be supplied this is missing:\n  %s\nset the variables, or write the same into %s of a checkout",
		e.Arch.GOARCH, strings.Join(e.Lacks, "\n  "), File)
}

// Missing returns a *MissingError that lists every part which was not supplied; nil if a
// guest can start. Without a Go toolchain a guest starts, and runs stage 0 only. given means
// that the kernel is no part: the command line names it, or it is on the disk that is booted.
func (p Parts) Missing(rec arch.Record, given bool) error {
	return p.lacking(rec, given, func(f part) bool { return f.needed })
}

// Toolchainless returns a *MissingError that names the Go toolchain; nil if it was supplied.
func (p Parts) Toolchainless(rec arch.Record) error {
	return p.lacking(rec, true, func(f part) bool { return f.variable == goroot })
}

// lacking returns a *MissingError that lists every part which was not supplied; nil if no
// wanted part is among them. A kernel that is given is not listed.
func (p *Parts) lacking(rec arch.Record, given bool, wanted func(part) bool) error {
	var lacks []string
	short := false
	for _, f := range p.parts() {
		if *f.value != "" || f.what == "" || f.variable == "FIRMWARE" || given && f.variable == kernelFile {
			continue
		}
		short = short || wanted(f)
		line := Variable(rec, f.variable) + "=<" + f.what + ">"
		if f.variable == "QEMU" {
			line += ", or qemu-system-" + rec.QEMU + " in PATH"
		}
		lacks = append(lacks, line)
	}
	if !short {
		return nil
	}
	return &MissingError{rec, lacks}
}
