//go:build boot

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/rpmpack"
)

// repository makes a signed yum repository of Debian's kernels, each in a package of its
// version, and returns its folder and the file of the key.
func repository(t *testing.T, cells map[string]string) (dir, keyring string) {
	t.Helper()
	dir = t.TempDir()
	put := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", sha256.Sum256(b))
	}
	primary := "<metadata>"
	for version, cell := range cells {
		l := openLab(t, cell)
		kernel, err := l.bench.Kernels.Shipped(t.Context(), l.cell)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: "kernel-core", Version: version, Release: "1", Arch: "x86_64", Compressor: "zstd"})
		if err != nil {
			t.Fatal(err)
		}
		r.AddFile(rpmpack.RPMFile{Name: "/lib/modules/" + version + "-1/vmlinuz", Body: kernel, Mode: 0o100755})
		var rpm bytes.Buffer
		if err := r.Write(&rpm); err != nil {
			t.Fatal(err)
		}
		href := "Packages/kernel-core-" + version + "-1.x86_64.rpm"
		primary += fmt.Sprintf(`<package type="rpm"><name>kernel-core</name><arch>x86_64</arch><version epoch="0" ver="%s" rel="1"/><checksum type="sha256">%s</checksum><size package="%d"/><location href="%s"/></package>`,
			version, put(href, rpm.Bytes()), rpm.Len(), href)
	}
	index := fmt.Sprintf(`<repomd><data type="primary"><checksum type="sha256">%s</checksum><location href="repodata/primary.xml"/></data></repomd>`, put("repodata/primary.xml", []byte(primary+"</metadata>")))
	put("repodata/repomd.xml", []byte(index))
	key, err := openpgp.NewEntity("synthetic vendor", "", "test@example.invalid", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var signature, public bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&signature, key, strings.NewReader(index), nil); err != nil {
		t.Fatal(err)
	}
	put("repodata/repomd.xml.asc", signature.Bytes())
	if err := key.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	return dir, writeFile(t, "key.gpg", public.String())
}

// TestBootASearchInARepository finds VM_NOHUGEPAGE of MAP_STACK, which came with Linux 6.8, between
// two packages of a yum repository: one that a command line names, and one of a matrix file.
func TestBootASearchInARepository(t *testing.T) {
	dir, keyring := repository(t, map[string]string{"6.1.0": bundled, "6.12.0": "amd64-debian13-6.12"})
	file := writeFile(t, "matrix.yaml", fmt.Sprintf("cells: [{name: vendor, repository: %q, keyring: %q, arch: amd64, series: \"6.12\"}]\n", dir, keyring))
	out := t.TempDir()
	ends := []string{"bisect", "--out", out, "--good", "6.1", "--bad", "6.12.0-1", "--focus", "MS-010"}
	want := "MS-010 changes at kernel-core-6.12.0-1.x86_64.rpm (6.12"
	var log []byte
	for i, how := range [][]string{{"--arch", "amd64", "--keyring", keyring, dir}, {"--matrix", file, "vendor"}} {
		said, err := execute(t, append(ends, how...)...)
		if err != nil || !strings.Contains(said, want) {
			t.Fatalf("%v: %v\n%s", how, err, said)
		}
		if fresh := i == 0; fresh == strings.Contains(said, "[from the log]") {
			t.Errorf("%v: what is tested and what is taken of the log:\n%s", how, said)
		}
		now, err := os.ReadFile(filepath.Join(out, "bisect-MS-010.log"))
		if err != nil || i > 0 && !bytes.Equal(now, log) {
			t.Errorf("%v: the log is %s, %v", how, now, err)
		}
		log = now
	}
	if _, err := execute(t, append(ends, "--arch", "amd64", dir)...); err == nil || !strings.Contains(err.Error(), "--keyring") {
		t.Errorf("without a key: %v", err)
	}
}
