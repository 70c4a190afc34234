package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/harness/source/kernel"
)

func TestAKernelOptionIsASeriesOrAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "6.1")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for value, isFile := range map[string]bool{"6.1": false, "newest": false, "": false, file: true, "./nowhere": true} {
		s := selection{}
		s.Kernel = value
		var g given
		g.take(&s)
		if (g.kernel == value && value != "") != isFile || (s.Kernel == value) == (isFile && value != "") {
			t.Errorf("%q: file %q, series %q", value, g.kernel, s.Kernel)
		}
	}
}

func TestAParameterIsOneWord(t *testing.T) {
	for _, bad := range []string{"", "a b", "a\"b"} {
		if _, err := (given{args: []string{bad}}).asked(); err == nil {
			t.Errorf("--kernel-arg %q is accepted", bad)
		}
	}
	asked, err := given{args: []string{"lsm=apparmor"}}.asked()
	if err != nil || len(asked) != 1 || asked[0].Value != "lsm=apparmor" {
		t.Errorf("%+v, %v", asked, err)
	}
}

func TestTheReleaseOfASystemIsInTheNameOfItsCell(t *testing.T) {
	for version, want := range map[string]string{"22.03": "22.03", "V10 (SP1)": "v10-sp1", "": "", "../..": "", "22.03 LTS": "22.03-lts"} {
		if got := release(version); got != want {
			t.Errorf("%q gives %q, want %q", version, got, want)
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
		title, id, err := given{os: tc.os}.title(tc.said)
		if err != nil || title != tc.title || id != tc.id {
			t.Errorf("%+v: %q, %q, %v", tc, title, id, err)
		}
	}
	if _, _, err := (given{os: "beos"}).title(intake.OS{}); err == nil {
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
	bench := &workbench.Bench{Kernels: &kernel.Resolver{}}
	c, err := given{kernel: path}.cell(t.Context(), bench, "")
	if err != nil || c.Arch != "arm64" || c.Name != "given-kernel-arm64" || bench.Kernels.Given.Name != "Image" {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := (given{kernel: path}).cell(t.Context(), bench, "x86_64"); err == nil || !strings.Contains(err.Error(), "is for arm64") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(path, []byte("no kernel at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (given{kernel: path}).cell(t.Context(), bench, ""); err == nil || !strings.Contains(err.Error(), "no kernel in a form known here") {
		t.Errorf("%v", err)
	}
}
