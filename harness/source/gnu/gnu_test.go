package gnu

import (
	"errors"
	"os"
	"path/filepath"
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
		if strings.HasSuffix(name, "-gcc-"+release) {
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
