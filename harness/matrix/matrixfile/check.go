package matrixfile

import (
	"regexp"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/osname"
)

var series = regexp.MustCompile(`^[0-9]{1,4}\.[0-9]{1,4}$`)

// check notes what is wrong with the values of an entry of a kind.
func (r *resolver) check(e Entry, k kind) {
	has := func(name string) bool { return e.at[name] > 0 }
	bad := func(name, format string, args ...any) { r.bad(e.at[name], format, args...) }
	if has("os") {
		if _, err := osname.Title(e.OS); err != nil {
			bad("os", "os: %v", err)
		}
	}
	rec, err := arch.Lookup(e.Arch)
	if has("arch") && err != nil {
		bad("arch", "arch: %v", err)
	}
	if has("series") && !series.MatchString(e.Series) {
		bad("series", "series %q must be like \"5.10\"", e.Series)
	}
	if has("cpus") && (e.CPUs < 1 || e.CPUs > matrix.MaxCPUs) {
		bad("cpus", "cpus %d must be 1 to %d", e.CPUs, matrix.MaxCPUs)
	}
	if has("memoryMiB") && (e.MemoryMiB < matrix.MinMemoryMiB || e.MemoryMiB > matrix.MaxMemoryMiB) {
		bad("memoryMiB", "memoryMiB %d must be %d to %d", e.MemoryMiB, matrix.MinMemoryMiB, matrix.MaxMemoryMiB)
	}
	for _, p := range e.Params {
		if err := matrix.CheckParam(p); err != nil {
			bad("params", "%v", err)
		}
	}
	for _, s := range e.Policy {
		if err := s.Check(); err != nil {
			bad("policy", "%v", err)
		}
	}
	for _, file := range []struct{ name, value string }{{"keyring", e.Keyring}, {"firmware", e.Firmware}, {"guestAgent", e.GuestAgent},
		{"passwordFile", e.PasswordFile}, {"login", e.Login}, {"repository", e.Repository}, {"target", e.Target}} {
		if has(file.name) && (file.value == "" || foreign.Text(file.value) != file.value) {
			bad(file.name, "%s must not be empty, and have only characters that are seen", file.name)
		}
	}
	switch {
	case has("machine") && !has("arch"):
		bad("machine", "machine needs arch, whose machine it is")
	case has("machine") && err == nil:
		if m, err := rec.Machine(e.Machine); err != nil {
			bad("machine", "machine: %v", err)
		} else if m.FiveLevels {
			bad("machine", "machine %s is for kernels of the built-in matrix, whose bzImage it needs", e.Machine)
		} else if e.CPUs > m.MaxCPUs {
			bad("machine", "machine %s takes %d CPUs at most", m.Name, m.MaxCPUs)
		}
	}
	r.checkKind(e, k)
}

// checkKind notes what an entry of a kind lacks, and what does not go together.
func (r *resolver) checkKind(e Entry, k kind) {
	has := func(name string) bool { return e.at[name] > 0 }
	bad := func(name, format string, args ...any) { r.bad(e.at[name], format, args...) }
	switch k {
	case guests:
		if has("policy") && has("osImage") {
			bad("policy", "policy is for a kernel without osImage; an image has settings of its own")
		}
	case yum:
		if !has("keyring") {
			bad("repository", "repository needs keyring, the keys that may sign it")
		}
		if !has("arch") {
			bad("repository", "repository needs arch, because it has kernels of several architectures")
		}
	case apt:
		r.checkApt(e)
	case whole:
		if !has("osImage") {
			bad("fullBoot", "fullBoot boots the system on a disk; osImage must name the image of the disk")
		}
	case running:
		switch {
		case e.Target == string(matrix.UserMode) && !has("arch"):
			bad("target", "target user needs arch, the architecture to emulate")
		case e.Target != string(matrix.Native) && e.Target != string(matrix.UserMode) && !strings.HasPrefix(e.Target, sshScheme):
			bad("target", "target must be native, ssh://user@host[:port], or user")
		}
	}
}
