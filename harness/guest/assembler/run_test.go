package assembler

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/harness/guest/account"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/stage0"
	"github.com/mapstack/conformance/poc/wire"
)

// limit bounds a run, which takes milliseconds. Under an emulator on a busy machine
// it takes some seconds.
const limit = 2 * time.Minute

// TestItRunsAndSaysEverythingTwice runs every program, natively or under a
// user-mode emulator.
func TestItRunsAndSaysEverythingTwice(t *testing.T) {
	for name, emulator := range map[string]string{"amd64": "qemu-x86_64", "arm64": "qemu-aarch64", "loong64": "qemu-loongarch64",
		"mips64le": "qemu-mips64el", "alpha": "qemu-alpha", "sw64": "qemu-sw64"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait for children
			program, err := Program(name)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "stage0")
			if err := os.WriteFile(file, program, 0o700); err != nil {
				t.Fatal(err)
			}
			argv := []string{file}
			if name != runtime.GOARCH {
				path, err := exec.LookPath(emulator)
				if err != nil {
					t.Skipf("not run: %v; install qemu-user, or put the vendor's emulator into PATH", err)
				}
				argv = []string{path, file}
				if name == "sw64" {
					argv = []string{path, "-cpu", "core3", file}
				}
			}
			out := run(t, argv)
			once := check(t, out)
			table, _ := abi.Lookup(name)
			tr, _ := once.Transcript(table)
			if !tr.Exit.Clean() || tr.Exit.Dropped != 0 || len(tr.Observations) < 20 {
				t.Errorf("%d observations, %+v", len(tr.Observations), tr.Exit)
			}
			if tr.Observations[0].Step != stage0.Uname || tr.Observations[0].Values["machine"] == "" {
				t.Errorf("first %+v", tr.Observations[0])
			}
		})
	}
}

func run(t *testing.T, argv []string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("%v: %v\n%s", argv, err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// check requires two equal halves and reads the frames of the first.
func check(t *testing.T, out []byte) *account.Account {
	t.Helper()
	half := len(out) / 2
	if !bytes.Equal(out[:half], out[half:]) {
		t.Errorf("%d bytes are not one text twice", len(out))
	}
	var a account.Account
	next := uint32(0)
	for line := range bytes.Lines(out[:half]) {
		f, err := wire.Decode(wire.EarlyPrefix, line)
		if err != nil || f.Seq != next {
			t.Fatalf("%q: frame %d, want %d: %v", line, f.Seq, next, err)
		}
		next++
		a.Frame(f)
	}
	return &a
}

// TestTheProgramIsWhatKernelsLoad fails if a segment is both writable and
// executable, or needs anything that is not in the file.
func TestTheProgramIsWhatKernelsLoad(t *testing.T) {
	for name := range machines() {
		program, err := Program(name)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Program(name)
		if err != nil || !bytes.Equal(program, again) {
			t.Errorf("%s: the same program has other bytes, %v", name, err)
		}
		f, err := elf.NewFile(bytes.NewReader(program))
		if err != nil {
			t.Fatal(err)
		}
		if f.Type != elf.ET_EXEC || f.Class != elf.ELFCLASS64 || len(f.Progs) != 3 || len(program) > 256<<10 {
			t.Errorf("%s: %+v, %d bytes", name, f.FileHeader, len(program))
		}
		for _, p := range f.Progs {
			if p.Flags&(elf.PF_W|elf.PF_X) == elf.PF_W|elf.PF_X {
				t.Errorf("%s: segment at %#x is writable and executable", name, p.Vaddr)
			}
			if p.Type == elf.PT_LOAD && (p.Vaddr%pageMost != p.Off%pageMost || p.Align != pageMost) {
				t.Errorf("%s: segment at %#x begins at %#x in the file", name, p.Vaddr, p.Off)
			}
		}
	}
	if f, _ := Program("sw64"); f[18] != 0x16 || f[19] != 0x99 {
		t.Errorf("sw64's machine number is %x", f[18:20])
	}
}

func TestAnArchitectureWithoutEncodingsSaysSo(t *testing.T) {
	for _, name := range []string{"riscv64", "ppc64le", "s390x"} {
		if _, err := Program(name); err == nil || stage0.Unassembled(name) == "" || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %q", name, err, stage0.Unassembled(name))
		}
	}
	for _, table := range abi.All() {
		if _, encoded := machines()[table.GOARCH]; encoded != (stage0.Unassembled(table.GOARCH) == "") {
			t.Errorf("%s: encoded: %v, and poc/stage0 says otherwise", table.GOARCH, encoded)
		}
	}
}
