package threadstacks

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheStackPointerIsFoundInALineOfTheKernel(t *testing.T) {
	file := filepath.Join(t.TempDir(), "syscall")
	for text, want := range map[string]uintptr{
		"202 0x5f 0x80 0x0 0x0 0x0 0x0 0x7ffd13b0 0x46f0a3\n": 0x7ffd13b0,
		"-1 0x7ffd13b0 0x46f0a3\n":                            0, // waits, but not in a system call
		"running\n":                                           0,
		"":                                                    0,
		"202 0 0 0 0 0 0 sp pc\n":                             0,
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := standsAt(file); got != want || ok != (want != 0) {
			t.Errorf("%q: %#x, %v", text, got, ok)
		}
	}
	if _, ok := standsAt(file + "-none"); ok {
		t.Error("a thread that ended stands somewhere")
	}
}

// TestAKernelThatShowsNoStacksSaysSo fails if threads whose stacks the kernel does not
// show are counted as threads without one.
func TestAKernelThatShowsNoStacksSaysSo(t *testing.T) {
	if err := shown(callOfSelf); err != nil {
		t.Error(err)
	}
	if err := shown(filepath.Join(t.TempDir(), "syscall")); !os.IsNotExist(err) {
		t.Errorf("a file that does not exist: %v", err)
	}
}
