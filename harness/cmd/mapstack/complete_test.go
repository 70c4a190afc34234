package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestTheShellCompletesValues fails if a value that a command takes is not offered, if one that
// it would refuse is, or if a list loses what was typed of it.
func TestTheShellCompletesValues(t *testing.T) {
	t.Chdir(t.TempDir())
	for line, want := range map[string]string{
		"run --cell amd64-debian12-6.1-s":              "amd64-debian12-6.1-settings",
		"run --cell s390x-debian12-6.1,s390x-debian12": "", // it is there already
		"run --cell s390x-debian12-6.1,s390x-debian13": "s390x-debian12-6.1,s390x-debian13-6.12",
		"list --arch la":                 "",
		"list --arch loo":                "loong64",
		"run --kernel 6.12":              "6.12",
		"run --focus ms-001":             "MS-001",
		"run --focus thr":                "",
		"kill-table --focus tracin":      "tracing",
		"run --skip tracin":              "tracing",
		"run --skip pag":                 "pages",
		"run --defect stack-ep":          "stack-eperm",
		"run --target na":                "native",
		"list --os kylin-server-v10-sp1": "kylin-server-v10-sp1",
		"run --exit b":                   "bisect",
		"export DIR --format k":          "ktap kcidb",
		"list -o j":                      "json",
		"bundle -o j":                    "", // a file
		"list cla":                       "claims",
		"explain stack-ep":               "stack-eperm",
		"claims a":                       "article",
		"probe alpha-n":                  "alpha-newest",
		"probe alpha-newest newos":       "newosproc newosproc-mended",
		"probe --target native newos":    "newosproc newosproc-mended",
		"run --lang z":                   "zh",
		"bench load --load threads-":     "threads-fallback threads-strict",
		"bisect --focus ms-001":          "MS-001",
		"stage0 make loo":                "loong64",
		"stage0 read risc":               "", // it has no program
		"run --cell mine --matrix none --cell alpha-new": "alpha-newest",
	} {
		words := strings.Split(line, " ")
		shown, err := execute(t, append([]string{cobra.ShellCompNoDescRequestCmd}, words...)...)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		offered, _, _ := strings.Cut(shown, ":")
		if got := strings.Join(strings.Fields(offered), " "); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if err := os.WriteFile("mapstack.yaml", []byte("cells:\n- {name: mine, arch: amd64, kernel: ./vmlinuz}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if shown, err := execute(t, cobra.ShellCompNoDescRequestCmd, "run", "--cell", "mi"); err != nil || !strings.HasPrefix(shown, "mine\n") {
		t.Errorf("a cell of the matrix file: %q, %v", shown, err)
	}
}
