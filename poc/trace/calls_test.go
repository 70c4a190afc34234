package trace

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/poc/sys"
)

// TestRegistersShowWhatTheKernelTells fails if a call that is read from the registers
// differs from what the kernel says of it: the tracer would be wrong on every kernel
// before 5.3. It also fails if an entry is taken for an end.
func TestRegistersShowWhatTheKernelTells(t *testing.T) {
	compared, failed, _ := compareCalls(t, "/proc/self/exe", status)
	if compared < 100 || failed == 0 {
		t.Errorf("%d stops compared, %d of failed calls", compared, failed)
	}
}

// TestRegistersShowCallsOf32BitPrograms fails if a program of 32 bits is not watched by a
// kernel before 5.3.
func TestRegistersShowCallsOf32BitPrograms(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only for amd64 is there a program of 32 bits here")
	}
	// It closes descriptor 9999, and ends with status 3.
	code := []byte{
		0xb8, 6, 0, 0, 0, // mov eax, close
		0xbb, 0x0f, 0x27, 0, 0, // mov ebx, 9999
		0xcd, 0x80, // int 0x80
		0xb8, 1, 0, 0, 0, // mov eax, exit
		0xbb, 3, 0, 0, 0, // mov ebx, 3
		0xcd, 0x80,
	}
	const at, headers = 0x10000, 52 + 32
	size := headers + uint32(len(code))
	var elf bytes.Buffer
	for _, part := range []interface{}{
		[]byte("\x7fELF\x01\x01\x01"), make([]byte, 9),
		[]uint16{2, 3}, []uint32{1, at + headers, 52, 0, 0}, []uint16{52, 32, 1, 0, 0, 0},
		[]uint32{1, 0, at, at, size, size, 5, 4096}, code,
	} {
		_ = binary.Write(&elf, binary.LittleEndian, part)
	}
	path := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(path, elf.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(path).Run(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Skip("this kernel runs no programs of 32 bits: ", err)
	}
	_, failed, narrow := compareCalls(t, path, 3)
	if failed != 1 || narrow != 3 { // entry and end of close, entry of exit
		t.Errorf("%d failed, %d of 32 bits", failed, narrow)
	}
}

// compareCalls compares each call of a program, as the registers show it, with what the
// kernel says. It returns how many it compared, how many of those had failed, and how many
// were of 32 bits.
func compareCalls(t *testing.T, path string, status int) (compared, failed, narrow int) {
	kernel, err := sys.Running()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(path, []string{"followed"}, &syscall.ProcAttr{
		Env: append(os.Environ(), "TRACE_TEST_FOLLOWED=1"), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		t.Fatal(err)
	}
	const limit = time.Minute // far more than it takes
	timer := time.AfterFunc(limit, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	defer timer.Stop()
	old := NewCalls(kernel.Table, 0)
	old.refused = syscall.EIO
	end, err := Follow(pid, OptionGoodSyscall|OptionClone|OptionExitKill, func(h Halt) (Way, error) {
		switch h.Kind {
		case Ended:
			old.Gone(h.Thread)
		case Called:
			told, errno := SyscallInfo(h.Thread)
			if errno != 0 {
				return Run, errno
			}
			read, err := old.At(h.Thread)
			if err != nil {
				return Run, err
			}
			compared++
			if told.Operation == Exit {
				_, errno := told.Result()
				if errno != 0 {
					failed++
				}
				for i := 1; i < len(told.Words); i++ { // what follows the result is not set
					told.Words[i] &= read.Words[i]
				}
			}
			if read.Arch == 0 {
				told.Arch = 0
			} else {
				narrow++
			}
			if *told != *read {
				t.Errorf("the kernel says %+v, the registers %+v", *told, *read)
			}
		}
		return RunToCall, nil
	})
	if err != nil || !end.Exited() || end.ExitStatus() != status {
		t.Fatalf("ended with %#x, %v", end, err)
	}
	return compared, failed, narrow
}

// TestFailedCallsAreToldByTheArchitecturesRule fails if minus an errno is expected
// where a flag says that a call failed, or a high address is taken for an error.
func TestFailedCallsAreToldByTheArchitecturesRule(t *testing.T) {
	eleven := int64(-11)
	for _, tc := range []struct {
		arch        string
		value, flag uint64
		want        uint64
		errno       int
	}{
		{"amd64", uint64(eleven), 0, 0, 11},
		{"amd64", 1 << 63, 0, 1 << 63, 0},
		{"s390x", uint64(eleven), 0, 0, 11},
		{"mips64le", 11, 1, 0, 11},
		{"mips64le", 11, 0, 11, 0},
		{"mips64le", uint64(eleven), 0, uint64(eleven), 0},
		{"ppc64le", 11, 0x10000000, 0, 11},
		{"ppc64le", 11, 0x20000000, 11, 0},
		{"sw64", 35, 1, 0, 35},
		{"sw64", 35, 0, 35, 0},
	} {
		table, _ := abi.Lookup(tc.arch)
		p, known := placesOf(table)
		if !known {
			t.Fatalf("no places of %s", tc.arch)
		}
		w := &Words{}
		w.All[p.value] = tc.value
		if p.failed.Mask != 0 {
			w.All[p.failed.Word] = tc.flag
		}
		info := &Info{}
		info.SetResult(p.result(w))
		if value, errno := info.Result(); value != tc.want || errno != tc.errno {
			t.Errorf("%s, %#x with %#x: %#x, errno %d", tc.arch, tc.value, tc.flag, value, errno)
		}
	}
}

// TestPlacesAreOfTheNativeProgram fails if a program of 32 bits, of which the kernel
// gives fewer words, is read as one of 64 bits.
func TestPlacesAreOfTheNativeProgram(t *testing.T) {
	// The size of NT_PRSTATUS of the architecture's programs of 32 bits, and of its own.
	sizes := map[string][2]uintptr{
		"amd64": {17 * 4, 27 * 8}, "arm64": {18 * 4, 34 * 8}, "mips64le": {45 * 4, 45 * 8},
		"ppc64le": {48 * 4, 48 * 8}, "s390x": {36 * 4, 27 * 8}, "riscv64": {32 * 4, 32 * 8}, "loong64": {0, 45 * 8},
		"sw64": {0, 33 * 8},
	}
	for _, table := range abi.All() {
		p, known := placesOf(table)
		if _, registers := table.Registers(); known != registers {
			t.Errorf("%s: poc/abi knows the registers: %t, poc/trace: %t", table.GOARCH, registers, known)
		}
		if size := sizes[table.GOARCH]; known && (size[0] >= p.least() || p.least() > size[1]) {
			t.Errorf("%s: at least %d bytes, of sizes %v", table.GOARCH, p.least(), size)
		}
	}
}

// TestAnArchitectureWithoutPlacesIsNotGuessed fails if a call is invented where
// neither the kernel nor the registers tell it.
func TestAnArchitectureWithoutPlacesIsNotGuessed(t *testing.T) {
	table, _ := abi.Lookup("alpha")
	c := NewCalls(table, 0)
	c.refused = syscall.Errno(table.Errno("EIO"))
	if info, err := c.At(0); err == nil || !strings.HasPrefix(err.Error(), "PTRACE_GET_SYSCALL_INFO answers EIO") {
		t.Errorf("%+v, %v", info, err)
	}
}
