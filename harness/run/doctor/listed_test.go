package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/matrix/matrixfile"
	"github.com/mapstack/conformance/harness/run/subject"
)

// TestAFileThatIsMissingIsToldWithItsLine fails if doctor does not say which files of a matrix
// file are missing, or calls one missing that is there or is downloaded.
func TestAFileThatIsMissingIsToldWithItsLine(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, make([]byte, 2048), 0o644); err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, f := range Listed([]subject.Listed{
		{Cell: matrixfile.Cell{Name: "a", Place: "mapstack.yaml:3", Image: &matrixfile.Source{Path: image}, GuestAgent: dir, PasswordFile: filepath.Join(dir, "none")}},
		{Cell: matrixfile.Cell{Name: "b", Kernel: &matrixfile.Source{URL: "https://example.org/k.rpm", Size: 5 << 20}}},
		{Cell: matrixfile.Cell{Name: "c", Target: "native"}},
	}) {
		shown = append(shown, strings.ReplaceAll(f.What+": "+f.State+" -> "+f.Remedy, dir, "DIR"))
	}
	const want = `image of a: DIR/image, 2.0 KiB -> 
guest agent of a: DIR -> 
password file of a: stat DIR/none: no such file or directory -> put the file there, or correct mapstack.yaml:3
kernel of b: k.rpm, 5.0 MiB; a run or fetch downloads it unless the cache has it -> 
target of c: native; a run connects to it -> `
	if got := strings.Join(shown, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
