//go:build boot

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// apt writes a signed repository in the way of Ubuntu and of what is made of it: a metapackage
// leads to the kernel. It returns the folder and the keyring.
func (p synthetic) apt() (dir, keyring string) {
	p.t.Helper()
	dir = filepath.Join(p.dir, "apt")
	var list bytes.Buffer
	for name, depends := range map[string]string{"linux-image-synthetic": "linux-image-6.1.0-1-synthetic", "linux-image-6.1.0-1-synthetic": ""} {
		files := map[string]string{"DEBIAN/control": fmt.Sprintf("Package: %s\nVersion: 6.1.1\nArchitecture: amd64\nMaintainer: nobody <nobody@example.invalid>\nDescription: of Debian's parts\n", name)}
		if depends != "" {
			files["DEBIAN/control"] += "Depends: " + depends + "\n"
		} else {
			files["boot/vmlinuz-6.1.0-1-synthetic"] = string(p.kernel)
		}
		root := p.t.TempDir()
		for file, text := range files {
			p.write(filepath.Join(root, file), []byte(text))
		}
		deb := filepath.Join("pool", name+".deb")
		p.write(filepath.Join(dir, deb), nil)
		p.run("dpkg-deb", "-Zgzip", "--root-owner-group", "--build", root, filepath.Join(dir, deb))
		b, err := os.ReadFile(filepath.Join(dir, deb))
		if err != nil {
			p.t.Fatal(err)
		}
		control, err := exec.Command("dpkg-deb", "--field", filepath.Join(dir, deb)).Output()
		if err != nil {
			p.t.Fatal(err)
		}
		fmt.Fprintf(&list, "%sFilename: %s\nSize: %d\nSHA256: %x\n\n", control, deb, len(b), sha256.Sum256(b))
	}
	const packages = "main/binary-amd64/Packages"
	p.write(filepath.Join(dir, "dists/v10/sp1", packages), list.Bytes())
	release := fmt.Sprintf("Suite: v10\nDate: %s\nArchitectures: amd64\nSHA256:\n %x %d %s\n", time.Now().UTC().Format(time.RFC1123), sha256.Sum256(list.Bytes()), list.Len(), packages)
	p.write(filepath.Join(dir, "dists/v10/sp1/Release"), []byte(release))
	key, err := openpgp.NewEntity("synthetic vendor", "", "test@example.invalid", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		p.t.Fatal(err)
	}
	var signature, public bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&signature, key, strings.NewReader(release), nil); err != nil {
		p.t.Fatal(err)
	}
	if err := key.Serialize(&public); err != nil {
		p.t.Fatal(err)
	}
	p.write(filepath.Join(dir, "dists/v10/sp1/Release.gpg"), signature.Bytes())
	keyring = filepath.Join(p.dir, "vendor.gpg")
	p.write(keyring, public.Bytes())
	return dir, keyring
}

func (p synthetic) write(path string, b []byte) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// TestBootTheKernelOfAnAptRepository boots the newest kernel of a repository on a server and of its
// copy in a folder. A repository that another key signs must cost its own cell alone.
func TestBootTheKernelOfAnAptRepository(t *testing.T) {
	p := debianParts(t)
	dir, keyring := p.apt()
	other := synthetic{t, t.TempDir(), []byte("another")}
	_, stranger := other.apt()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	file, out := filepath.Join(p.dir, "mine.yaml"), t.TempDir()
	p.write(file, fmt.Appendf(nil, `cells:
  - {name: server, extends: apt, repository: %q, keyring: %q, os: uos}
  - {name: folder, extends: apt, repository: ./apt, keyring: ./vendor.gpg}
  - {name: stranger, extends: apt, repository: ./apt, keyring: %q}
shared:
  apt: {suite: v10/sp1, components: main, package: linux-image-syn*, arch: amd64, series: "6.1"}
`, server.URL, keyring, stranger))
	said, err := execute(t, "run", "--matrix", file, "--focus", "stage0", "--out", out)
	if exitCode(err) != verdict.ExitInfrastructure {
		t.Errorf("%v\n%s", err, said)
	}
	r := reportIn(t, out)
	for _, c := range r.Cells {
		switch {
		case c.Name == "stranger":
			if c.Failure == nil || !strings.Contains(c.Failure.Message, "it is not signed by a key of keyring") || strings.Contains(c.Failure.Message, p.dir) {
				t.Errorf("%+v", c.Failure)
			}
		case c.Verdict.Verdict != verdict.Conformant:
			t.Errorf("%s: %+v, %+v", c.Name, c.Verdict, c.Failure)
		case c.Kernel.Provenance.Package != "linux-image-6.1.0-1-synthetic" || c.Kernel.Provenance.Version != "6.1.1" || c.Kernel.Provenance.Filename != "linux-image-6.1.0-1-synthetic.deb":
			t.Errorf("%s: %+v", c.Name, c.Kernel.Provenance)
		}
	}
	if len(r.Cells) != 3 {
		t.Errorf("%d cells", len(r.Cells))
	}
	// What was seen is enough without the server.
	server.Close()
	if said, err := execute(t, "run", "--offline", "--matrix", file, "--cell", "server", "--focus", "stage0", "--out", out); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}
