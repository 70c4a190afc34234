package rt0

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// exitRefused is the exit status of the entry where a limit is too low.
const exitRefused = 69

// TestEveryLimitIsSaidBeforeGoBegins fails if the entry of a host that make dist builds for
// does not say which limit is too low, or does not go on to the Go runtime where none is.
func TestEveryLimitIsSaidBeforeGoBegins(t *testing.T) {
	for _, goarch := range []string{"amd64", "arm64", "loong64", "riscv64"} {
		t.Run(goarch, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			var emulator []string
			if goarch != runtime.GOARCH {
				rec, err := arch.Lookup(goarch)
				if err != nil {
					t.Fatal(err)
				}
				path, err := exec.LookPath("qemu-" + rec.Uname)
				if err != nil {
					t.Skipf("not run: %v", err)
				}
				emulator = []string{path}
			}
			program := build(ctx, t, goarch)
			for _, l := range Limits {
				letter, unit := option(l.Resource)
				if emulator != nil && l.Resource != unix.RLIMIT_NOFILE {
					continue // it would be the emulator's limit
				}
				least := l.Enough / unit
				if exit, said := under(ctx, t, letter, least-1, append(emulator, program)); exit != exitRefused || said != l.Says {
					t.Errorf("ulimit -%s %d: exit status %d, %q", letter, least-1, exit, said)
				}
				if exit, said := under(ctx, t, letter, least, append(emulator, program)); exit != 0 || said != "begun\n" {
					t.Errorf("ulimit -%s %d: exit status %d, %q", letter, least, exit, said)
				}
			}
		})
	}
}

// TestNoRoomForThreadsIsSaidBeforeGoBegins fails if the entry lets the Go runtime begin
// where RLIMIT_NPROC leaves less than the threads that it needs, or refuses where it does
// not. In a user-mode emulator CLONE_VFORK means another thing: only this architecture is
// asked here. The cases of diagnose ask another one in a guest.
func TestNoRoomForThreadsIsSaidBeforeGoBegins(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not run: only root can run a program as a user who has no other task")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	program := build(ctx, t, runtime.GOARCH)
	for dir := filepath.Dir(program); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for tasks := uint64(1); tasks <= threads+2; tasks++ {
		want, words := exitRefused, Crowded
		if tasks > threads {
			want, words = 0, "begun\n"
		}
		cmd := exec.CommandContext(ctx, "prlimit", fmt.Sprintf("--nproc=%d", tasks), program)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyElse, Gid: nobodyElse}}
		if exit, said := outcome(t, cmd); exit != want || said != words {
			t.Errorf("RLIMIT_NPROC %d: exit status %d, %q", tasks, exit, said)
		}
	}
}

// nobodyElse is a user ID that nobody uses.
const nobodyElse = 1<<31 - 19

// option returns the letter of a limit for ulimit, and its unit there in bytes, or 1.
func option(resource uint64) (letter string, unit uint64) {
	switch resource {
	case unix.RLIMIT_AS:
		return "v", 1 << 10
	case unix.RLIMIT_DATA:
		return "d", 1 << 10
	case unix.RLIMIT_STACK:
		return "s", 1 << 10
	}
	return "n", 1
}

// build makes a program that writes a line, with the entry.
func build(ctx context.Context, t *testing.T, goarch string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "begun")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-E _rt0_mapstack", "-o", program, "./testdata/begun")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+goarch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// under runs a command below a limit, and returns its exit status and what it wrote.
func under(ctx context.Context, t *testing.T, letter string, n uint64, command []string) (exit int, said string) {
	t.Helper()
	args := append([]string{"-c", fmt.Sprintf("ulimit -%s %d && exec \"$@\"", letter, n), "sh"}, command...)
	return outcome(t, exec.CommandContext(ctx, "sh", args...))
}

// outcome runs a command, and returns its exit status and what it wrote.
func outcome(t *testing.T, cmd *exec.Cmd) (exit int, said string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}
