package compiler

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix/arch"
)

// stage puts programs into a PATH of their own. The compiler gives the given
// answers.
func stage(t *testing.T, compiler string, names ...string) arch.Record {
	t.Helper()
	rec, err := arch.Lookup("alpha")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range names {
		text := "#!/bin/sh\nexit 1\n"
		if name == "gcc" || name == "clang-19" || strings.HasSuffix(name, "-gcc-"+release) {
			text = "#!/bin/sh\n" + compiler + "\n"
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	return rec
}

var all = []string{"alpha-linux-gnu-gcc-12", "alpha-linux-gnu-gccgo-12", "alpha-linux-gnu-ld", "gcc", "make", "flex", "bison", "bc"}

func TestEveryMissingProgramIsNamedWithOneCommand(t *testing.T) {
	const works = `case $1 in -dumpfullversion) echo 12.2.0;; *) echo /lib/x;; esac`
	if tools, err := Find(t.Context(), stage(t, works, all...)); err != nil || tools.Version != "12.2.0" {
		t.Errorf("%+v, %v", tools, err)
	}
	for i, lacking := range all {
		_, err := Find(t.Context(), stage(t, works, slices.Delete(slices.Clone(all), i, i+1)...))
		var missing *MissingError
		if !errors.As(err, &missing) || !slices.Equal(missing.Lacks, []string{lacking}) || !strings.Contains(err.Error(), "apt-get install gcc-12-alpha-linux-gnu ") {
			t.Errorf("without %s: %v", lacking, err)
		}
	}
	// The compiler prints the name itself when it has no such library.
	_, err := Find(t.Context(), stage(t, `case $1 in -dumpfullversion) echo 12.2.0;; *) echo libc.so.6.1;; esac`, all...))
	var missing *MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "libc.so.6.1 of alpha-linux-gnu") {
		t.Errorf("without libraries: %v", err)
	}
	if _, err := Find(t.Context(), stage(t, `exit 3`, all...)); err == nil {
		t.Error("a compiler that fails is taken for one that works")
	}
}

// own are the programs that build a kernel of this host's architecture.
var own = []string{"gcc", "ld", "make", "flex", "bison", "bc"}

func TestAKernelOfThisHostIsBuiltWithItsOwnCompiler(t *testing.T) {
	host, err := arch.Lookup(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	const works = `case $1 in -dumpfullversion) echo 14.2.0;; *) echo /lib/x;; esac`
	stage(t, works, own...)
	tools, err := ForKernel(t.Context(), host)
	if err != nil || tools.String() != "gcc 14.2.0" || !slices.Equal(tools.Make(), []string{"CROSS_COMPILE=", "CC=" + tools.CC}) || filepath.Base(tools.CC) != "gcc" {
		t.Errorf("%v, %+v", err, tools)
	}
	for i, lacking := range own {
		stage(t, works, slices.Delete(slices.Clone(own), i, i+1)...)
		_, err := ForKernel(t.Context(), host)
		var missing *MissingError
		if !errors.As(err, &missing) || !slices.Equal(missing.Lacks, []string{lacking}) || !strings.Contains(err.Error(), "apt-get install gcc libc6-dev libelf-dev ") {
			t.Errorf("without %s: %v", lacking, err)
		}
	}
	stage(t, `case $1 in -dumpfullversion) echo 14.2.0;; *) echo libelf.so;; esac`, own...)
	var missing *MissingError
	if _, err := ForKernel(t.Context(), host); !errors.As(err, &missing) || !slices.Equal(missing.Lacks, []string{"libelf.so"}) {
		t.Errorf("without libelf: %v", err)
	}
	alpha := stage(t, works, all...)
	if tools, err := ForKernel(t.Context(), alpha); err != nil || tools.String() != "alpha-linux-gnu-gcc 14.2.0" {
		t.Errorf("alpha: %v, %v", tools, err)
	}
}

// llvm are the programs that build a kernel of another architecture than this host's.
var llvm = []string{"clang-19", "ld.lld-19", "llvm-ar-19", "llvm-nm-19", "llvm-objcopy-19", "llvm-objdump-19", "llvm-readelf-19", "llvm-strip-19",
	"make", "flex", "bison", "bc"}

func TestAKernelOfAnotherArchitectureIsBuiltWithLLVM(t *testing.T) {
	name := "arm64"
	if runtime.GOARCH == name {
		name = "riscv64"
	}
	other, err := arch.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	// clang refuses gcc's question.
	const works = `case $1 in -dumpversion) echo 19.1.7;; -dumpfullversion) exit 1;; *) echo /lib/x;; esac`
	stage(t, works, llvm...)
	tools, err := ForKernel(t.Context(), other)
	if err != nil || tools.String() != "clang 19.1.7" || !slices.Equal(tools.Make(), []string{"LLVM=-19"}) {
		t.Errorf("%v, %+v", err, tools)
	}
	for i, lacking := range llvm {
		stage(t, works, slices.Delete(slices.Clone(llvm), i, i+1)...)
		_, err := ForKernel(t.Context(), other)
		var missing *MissingError
		if !errors.As(err, &missing) || !slices.Equal(missing.Lacks, []string{lacking}) || !strings.Contains(err.Error(), "apt-get install clang-19 lld-19 llvm-19 libc6-dev ") {
			t.Errorf("without %s: %v", lacking, err)
		}
	}
}
