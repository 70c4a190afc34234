package subject

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
)

func TestTheReleaseOfASystemIsInTheNameOfItsCell(t *testing.T) {
	for text, want := range map[string]string{"22.03": "22.03", "V10 (SP1)": "v10-sp1", "": "", "../..": "", "22.03 LTS": "22.03-lts"} {
		if got := version(text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestTheSystemIsNamedByWhatItSaysOrWhatWasAsked(t *testing.T) {
	for _, tc := range []struct {
		os        string
		said      intake.OS
		title, id string
	}{
		{"", intake.OS{ID: "openeuler", Name: "openEuler 22.03"}, "openEuler (欧拉): openEuler 22.03", "openeuler"},
		{"", intake.OS{ID: "vendorux", Name: "Vendorux 1", Like: []string{"kylin"}}, "Kylin (麒麟): Vendorux 1", "kylin"},
		{"", intake.OS{ID: "My Linux!", Name: "My Linux"}, "My Linux", "-y-inux-"},
		{"", intake.OS{}, "unknown; --os says which it is", "kernel"},
		{"uos", intake.OS{}, "UnionTech OS (统信 UOS)", "uos"},
	} {
		name, id, err := title(tc.os, tc.said)
		if err != nil || name != tc.title || id != tc.id {
			t.Errorf("%+v: %q, %q, %v", tc, name, id, err)
		}
	}
	if _, _, err := title("beos", intake.OS{}); err == nil {
		t.Error("an unknown system is accepted")
	}
}

func TestAGivenKernelMakesACellOfItsArchitecture(t *testing.T) {
	// The head of an arm64 Image: a jump, and its magic at byte 56.
	image := make([]byte, 64)
	copy(image[56:], "ARM\x64")
	binary.LittleEndian.PutUint64(image[16:], uint64(len(image)))
	path := filepath.Join(t.TempDir(), "Image")
	if err := os.WriteFile(path, image, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bench := &workbench.Bench{Kernels: &kernel.Resolver{}, Cache: c}
	b, err := Kernel{File: path}.Bind(t.Context(), bench)
	if err != nil || b.Cell.Arch != "arm64" || b.Cell.Name != "given-kernel-arm64" {
		t.Fatalf("%+v, %v", b.Cell, err)
	}
	if _, err := (Kernel{File: path, Arch: "x86_64"}).Bind(t.Context(), bench); err == nil || !strings.Contains(err.Error(), "is for arm64") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(path, []byte("no kernel at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (Kernel{File: path}).Bind(t.Context(), bench); err == nil || !strings.Contains(err.Error(), "no kernel in a form known here") {
		t.Errorf("%v", err)
	}
}
