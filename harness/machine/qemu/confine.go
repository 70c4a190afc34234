package qemu

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Confinement says how the host protects itself from a QEMU that its guest has taken
// over. QEMU's own documents promise no isolation under TCG (docs/system/security.rst).
type Confinement struct {
	// Filter makes QEMU give up the system calls that it does not need: it can start no
	// program, and can gain no privilege.
	Filter bool
	// User is the user and the group that QEMU runs as; 0 is the user of this process.
	// Only root can have another.
	User int
}

// nobody is the user of last resort of most systems. It owns no file.
const nobody = 65534

// tryWait bounds a QEMU that is started without a machine. It may have to be read from
// a slow disk first.
const tryWait = 30 * time.Second

// sandbox is the filter of system calls. QEMU needs none of what is denied here.
func sandbox() Argument {
	return unique("-sandbox", property{"", "on"}, property{"obsolete", "deny"}, property{"elevateprivileges", "deny"},
		property{"spawn", "deny"}, property{"resourcecontrol", "deny"})
}

// TryConfinement starts the QEMU without a machine and returns how it can be confined.
// lacks says what it cannot have, and why. Only a try tells: the filter may be missing in
// QEMU, and it may be missing in the host's kernel. A try that was not done in time says
// nothing: a busy host must not cost the confinement.
func TryConfinement(ctx context.Context, prefix []string) (best Confinement, lacks []string) {
	best.Filter = true
	if os.Geteuid() == 0 {
		best.User = nobody
	}
	if try(ctx, prefix, best) == nil {
		return best, nil
	}
	// One of both may work.
	if best.User != 0 {
		if why := try(ctx, prefix, Confinement{User: best.User}); why != nil {
			best.User, lacks = 0, append(lacks, fmt.Sprintf("it runs as root, and not as user %d: %v", nobody, why))
		}
	}
	if why := try(ctx, prefix, Confinement{Filter: true, User: best.User}); why != nil {
		best.Filter, lacks = false, append(lacks, fmt.Sprintf("it runs without a filter of its system calls: %v", why))
	}
	return best, lacks
}

// try returns why a QEMU that is confined in this way does not start; nil if it does, or if
// it was not done in time.
func try(ctx context.Context, prefix []string, c Confinement) error {
	all := []Argument{option("-no-user-config"), option("-nodefaults"), unique("-display", property{"", "none"}),
		unique("-machine", property{"", "none"}), unique("-monitor", property{"", "stdio"})}
	if c.Filter {
		all = append(all, sandbox())
	}
	h := &handover{user: c.User}
	defer h.close()
	prefix, err := h.words(prefix)
	if err != nil {
		return err
	}
	argv := Arguments{prefix, all}.Argv()
	ctx, cancel := context.WithTimeout(ctx, tryWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader("quit\n")
	var said bytes.Buffer
	cmd.Stderr = &said
	// The descriptors have the numbers that they have beside the monitor.
	cmd.ExtraFiles = append([]*os.File{nil, nil}, h.files...)
	cmd.Env = environment()
	cmd.SysProcAttr = attributes(c.User)
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %.300q", err, said.String())
	}
	return nil
}

// attributes make a QEMU that ends with this process and runs as a user.
func attributes(user int) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != 0 {
		a.Credential = &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}
	}
	return a
}

// environment is all that QEMU gets of this process's environment.
func environment() []string {
	var kept []string
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}
