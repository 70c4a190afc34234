package intake

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
)

// debOf makes a package with dpkg-deb.
func debOf(t *testing.T, name, version, depends string, files map[string]string) string {
	t.Helper()
	tool(t, "dpkg-deb", "dpkg")
	root := t.TempDir()
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody <nobody@example.invalid>\nDescription: test\n", name, version)
	if depends != "" {
		control += "Depends: " + depends + "\n"
	}
	all := map[string]string{"DEBIAN/control": control}
	for file, text := range files {
		all[file] = text
	}
	for file, text := range all {
		at := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deb := filepath.Join(t.TempDir(), name+"_"+version+"_amd64.deb")
	run(t, "dpkg-deb", "-Zgzip", "--root-owner-group", "--build", root, deb)
	return deb
}

// aptRepository writes a signed repository without dists of packages that dpkg-deb made, in the
// way of Ubuntu and of what is made of it: the configuration is in a package of its own.
func aptRepository(t *testing.T, key *openpgp.Entity) string {
	t.Helper()
	dir := t.TempDir()
	var packages strings.Builder
	for _, deb := range []string{
		debOf(t, "linux-image-generic", "5.4.18.85", "linux-image-5.4.18-85-generic", nil),
		debOf(t, "linux-image-5.4.18-85-generic", "5.4.18-85.90", "linux-modules-5.4.18-85-generic", map[string]string{"boot/vmlinuz-5.4.18-85-generic": string(kernelText())}),
		debOf(t, "linux-modules-5.4.18-85-generic", "5.4.18-85.90", "", map[string]string{"boot/config-5.4.18-85-generic": "CONFIG_MMU=y\n", "lib/modules/5.4.18-85-generic/modules.dep": ""}),
	} {
		b, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(deb)), b, 0o644); err != nil {
			t.Fatal(err)
		}
		control, err := exec.Command("dpkg-deb", "--field", deb).Output()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&packages, "%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, filepath.Base(deb), len(b), sha256.Sum256(b))
	}
	list := packages.String()
	if err := os.WriteFile(filepath.Join(dir, "Packages"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	var signed bytes.Buffer
	w, err := clearsign.Encode(&signed, key.PrivateKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "Date: %s\nSHA256:\n %x %d Packages\n", time.Now().UTC().Format(time.RFC1123), sha256.Sum256([]byte(list)), len(list))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "InRelease"), signed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTheKernelOfAnAptRepositoryIsOpened fails if a metapackage is not followed, or if a
// configuration in another package is not found.
func TestTheKernelOfAnAptRepositoryIsOpened(t *testing.T) {
	key, public := signer(t)
	c, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	where, err := debian.RepositoryURL(aptRepository(t, key))
	if err != nil {
		t.Fatal(err)
	}
	r, err := debian.NewRepository(c, debian.Mirror{URL: where}, public, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	a := AptRepository{Repository: r, Wanted: debian.Wanted{Suite: "./", Package: "linux-image-generic", Architectures: []string{"amd64"}}}
	found, packages, err := a.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const chain = "apt repository, suite ./, linux-image-5.4.18-85-generic 5.4.18-85.90, configuration from linux-modules-5.4.18-85-generic 5.4.18-85.90, deb, /boot/vmlinuz-5.4.18-85-generic"
	if !bytes.Equal(found.Kernel, kernelText()) || string(found.Config) != "CONFIG_MMU=y\n" || strings.Join(found.Chain, ", ") != chain || found.SHA256 != packages.Image.SHA256 || found.Version != "5.4.18-85.90" {
		t.Errorf("%d bytes, configuration %q, version %s, by way of %v", len(found.Kernel), found.Config, found.Version, found.Chain)
	}
	a.Wanted.Package = "linux-modules-*"
	if _, _, err := a.Open(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "package linux-modules-5.4.18-85-generic 5.4.18-85.90: the deb holds no kernel") {
		t.Errorf("a package without a kernel: %v", err)
	}
}

func TestVendorsNamesOfArchitecturesAreTried(t *testing.T) {
	for goarch, want := range map[string]string{"loong64": "loong64 loongarch64 la64 loongarch", "sw64": "sw64 sw_64 sunway shenwei", "arm64": "arm64 aarch64"} {
		rec, err := arch.Lookup(goarch)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(AptNames(rec), " "); got != want {
			t.Errorf("%s: %s", goarch, got)
		}
	}
}
