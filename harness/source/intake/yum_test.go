package intake

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// signer makes a key and returns it with its public half as a keyring.
func signer(t *testing.T) (*openpgp.Entity, []byte) {
	t.Helper()
	key, err := openpgp.NewEntity("synthetic vendor", "", "test@example.invalid", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var public bytes.Buffer
	if err := key.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	return key, public.Bytes()
}

// repository writes a yum repository with two releases of a kernel, signed by key.
// change edits the index before it is signed.
func repository(t *testing.T, key *openpgp.Entity, change func(index string) string) string {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		return hex.EncodeToString(sum[:])
	}
	rpm, err := os.ReadFile(rpmFileOf(t, "gzip"))
	if err != nil {
		t.Fatal(err)
	}
	sum := put("Packages/kernel-core-new.rpm", rpm)
	const pkg = `<package type="rpm"><name>%s</name><arch>%s</arch><version epoch="0" ver="5.10.0" rel="%s"/><checksum type="sha256">%s</checksum><size package="%d"/><location href="%s"/></package>`
	primary := "<metadata>" +
		fmt.Sprintf(pkg, "kernel-core", "x86_64", "9", strings.Repeat("0", 64), 7, "Packages/old.rpm") +
		fmt.Sprintf(pkg, "kernel-core", "x86_64", "60", sum, len(rpm), "Packages/kernel-core-new.rpm") +
		fmt.Sprintf(pkg, "kernel-core", "aarch64", "70", strings.Repeat("0", 64), 7, "Packages/other.rpm") +
		fmt.Sprintf(pkg, "bash", "x86_64", "99", strings.Repeat("0", 64), 7, "Packages/bash.rpm") + "</metadata>"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(primary)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	sum = put("repodata/primary.xml.gz", packed.Bytes())
	index := fmt.Sprintf(`<repomd><data type="primary"><checksum type="sha256">%s</checksum><location href="repodata/primary.xml.gz"/></data></repomd>`, sum)
	if change != nil {
		index = change(index)
	}
	put("repodata/repomd.xml", []byte(index))
	var signature bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&signature, key, strings.NewReader(index), nil); err != nil {
		t.Fatal(err)
	}
	put("repodata/repomd.xml.asc", signature.Bytes())
	return dir
}

func TestTheNewestSignedKernelOfARepositoryIsFound(t *testing.T) {
	key, public := signer(t)
	dir := repository(t, key, nil)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	for _, where := range []string{dir, server.URL} {
		if !IsRepository(where) {
			t.Errorf("%s is not taken for a repository", where)
		}
		found, err := Repository{Where: where, Keyring: public, Arch: "x86_64"}.Open(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(found.Kernel, kernelText()) || strings.Join(found.Chain, " ") != "yum repository Packages/kernel-core-new.rpm rpm /lib/modules/5.10.0-60/vmlinuz" {
			t.Errorf("%d bytes by way of %v", len(found.Kernel), found.Chain)
		}
	}
}

// TestTheKernelsOfARepositoryAreListedByVersion fails if a search would go through them in another
// order, or would take one that is not what the metadata says.
func TestTheKernelsOfARepositoryAreListedByVersion(t *testing.T) {
	key, public := signer(t)
	r := Repository{Where: repository(t, key, nil), Keyring: public, Arch: "x86_64"}
	all, err := r.Kernels(t.Context())
	if err != nil || len(all) != 2 || all[0].Version != "5.10.0-9" || all[1].Version != "5.10.0-60" || all[1].Path != "Packages/kernel-core-new.rpm" {
		t.Fatalf("%+v, %v", all, err)
	}
	rpm, err := r.Read(t.Context(), all[1])
	if sum := sha256.Sum256(rpm); err != nil || hex.EncodeToString(sum[:]) != all[1].SHA256 || int64(len(rpm)) != all[1].Size {
		t.Errorf("%d bytes, %v", len(rpm), err)
	}
	if _, err := r.Read(t.Context(), all[0]); err == nil || !strings.Contains(err.Error(), "read Packages/old.rpm") {
		t.Errorf("a package that is not there: %v", err)
	}
	r.Arch = "riscv64"
	if _, err := r.Kernels(t.Context()); err == nil || !strings.Contains(err.Error(), "none of the packages") {
		t.Error(err)
	}
}

func TestARepositoryThatIsNotWhatItWasSignedAsIsRefused(t *testing.T) {
	key, public := signer(t)
	_, other := signer(t)
	damage := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			path := filepath.Join(dir, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		keyring []byte
		arch    string
		index   func(string) string
		then    func(t *testing.T, dir string)
		want    string
	}{
		"no keyring":         {nil, "x86_64", nil, nil, "--keyring"},
		"another key":        {other, "x86_64", nil, nil, "not signed by a key"},
		"a keyring of junk":  {[]byte("junk"), "x86_64", nil, nil, "keyring cannot be read"},
		"no signature":       {public, "x86_64", nil, remove("repodata/repomd.xml.asc"), "the package is not signed by a key of the keyring: it has no signature"},
		"a changed index":    {public, "x86_64", nil, damage("repodata/repomd.xml"), "not signed by a key"},
		"changed metadata":   {public, "x86_64", nil, damage("repodata/primary.xml.gz"), "not what the metadata says"},
		"a changed package":  {public, "x86_64", nil, damage("Packages/kernel-core-new.rpm"), "not what the metadata says"},
		"another machine":    {public, "riscv64", nil, nil, "none of the packages"},
		"no primary":         {public, "x86_64", func(s string) string { return strings.Replace(s, "primary", "other", 1) }, nil, "no primary"},
		"a path that leaves": {public, "x86_64", func(s string) string { return strings.Replace(s, "repodata/primary", "../../etc/primary", 1) }, nil, "leads out"},
		"a weak checksum":    {public, "x86_64", func(s string) string { return strings.Replace(s, "sha256", "sha1", 1) }, nil, "sha256 is wanted"},
		"no XML":             {public, "x86_64", func(string) string { return "<repomd>" }, nil, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := repository(t, key, tc.index)
			if tc.then != nil {
				tc.then(t, dir)
			}
			_, err := Repository{Where: dir, Keyring: tc.keyring, Arch: tc.arch}.Open(t.Context(), t.TempDir())
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Count(err.Error(), dir) != 1 {
				t.Errorf("%v, want %q, and the repository named once", err, tc.want)
			}
		})
	}
}

// TestARepositoryCannotGoBack fails if whoever answers for a repository can hold this host at
// an old kernel that is still signed.
func TestARepositoryCannotGoBack(t *testing.T) {
	r := Repository{Where: "https://example.org/os", Seen: filepath.Join(t.TempDir(), "seen")}
	for _, step := range []struct {
		revision string
		accept   bool
		want     string
	}{
		{"1700000000", false, ""}, {"1700000000", false, ""}, {"1800000000", false, ""},
		{"1700000000", false, "older than 1800000000"}, {"1700000000", true, ""}, {"1700000000", false, "older than"},
		{"", false, ""}, {"el9.3", false, ""}, {"1900000000", false, ""},
	} {
		r.AcceptOlder = step.accept
		if err := r.forward(step.revision); (err == nil) != (step.want == "") || err != nil && !strings.Contains(err.Error(), step.want) {
			t.Errorf("%+v: %v", step, err)
		}
	}
	r.Where = "https://example.org/another"
	if err := r.forward("1"); err != nil {
		t.Errorf("another repository: %v", err)
	}
}

// FuzzPrimary reads the list of packages of a yum repository.
func FuzzPrimary(f *testing.F) {
	f.Add([]byte(`<metadata><package type="rpm"><name>kernel-core</name><arch>x86_64</arch><version epoch="0" ver="6.6.0" rel="1"/><checksum type="sha256">aa</checksum><location href="k.rpm"/></package></metadata>`))
	f.Add([]byte("<metadata><package><name>kernel</name>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Repository{Arch: "x86_64"}.kernels(t.Context(), text)
		if err == nil && len(all) == 0 {
			t.Error("no package, and no error")
		}
		for _, p := range all {
			if p.Arch != "x86_64" || !slices.Contains(kernelPackages, p.Name) {
				t.Errorf("%+v was chosen", p)
			}
		}
	})
}

// TestAServerThatStumblesIsAskedAgain fails if one broken answer of a repository ends a run, or if
// an answer that will not change is asked for again.
func TestAServerThatStumblesIsAskedAgain(t *testing.T) {
	key, public := signer(t)
	files := http.FileServer(http.Dir(repository(t, key, nil)))
	asked := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked[r.URL.Path]++; {
		case asked[r.URL.Path] == 1 && strings.HasSuffix(r.URL.Path, "repomd.xml"):
			w.WriteHeader(http.StatusServiceUnavailable)
		case asked[r.URL.Path] == 1 && strings.HasSuffix(r.URL.Path, ".rpm"):
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write([]byte("half"))
		default:
			files.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	r := Repository{Where: server.URL, Keyring: public, Arch: "x86_64", Pause: 1}
	if _, err := r.Open(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if asked["/repodata/repomd.xml"] != 2 || asked["/Packages/kernel-core-new.rpm"] != 2 || asked["/repodata/primary.xml.gz"] != 1 {
		t.Errorf("%v", asked)
	}
	if _, err := r.fetch(t.Context(), "gone", 1); err == nil || asked["/gone"] != 1 {
		t.Errorf("a file that is not there was asked for %d times: %v", asked["/gone"], err)
	}
}
