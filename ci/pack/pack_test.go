package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	spdx "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"
)

// epoch is the time of the test's releases.
const epoch = "1764374400"

// made packs small programs for two architectures in a new folder, and returns it.
func made(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	man := filepath.Join(dir, "man")
	license, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"source/go.mod": "module example.org/small\n\ngo 1.26\n", "source/main.go": "package main\n\nfunc main() { println(\"small\") }\n",
		"man/man1/mapstack.1":       ".TH \"MAPSTACK\" \"1\" \"Nov 2025\"\n.SH NAME\nmapstack - small\n",
		"man/zh_CN/man1/mapstack.1": ".TH \"MAPSTACK\" \"1\" \"Nov 2025\"\n.SH NAME\nmapstack - 小\n", "LICENSE": string(license),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	dist := filepath.Join(dir, "dist")
	for _, arch := range []string{"amd64", "loong64"} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", filepath.Join(dist, prefix+arch), ".")
		cmd.Dir, cmd.Env = source, append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
		}
	}
	if err := pack(release{Dir: dist, Man: man, License: filepath.Join(dir, "LICENSE"), Version: "1.2.3+git1"}, epoch); err != nil {
		t.Fatal(err)
	}
	return dist
}

// contents returns the content of the files in a folder, by their names.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestRelease makes a release twice, and looks at it.
func TestRelease(t *testing.T) {
	one, other := made(t), made(t)
	t.Run("two builds give the same bytes", func(t *testing.T) { same(t, contents(t, one), contents(t, other)) })
	t.Run("the bill is of the program", func(t *testing.T) { billed(t, one) })
	t.Run("others take the packages", func(t *testing.T) { judged(t, one) })
}

// same fails if a time, a folder or an order of this machine gets into a package.
func same(t *testing.T, one, other map[string][]byte) {
	t.Helper()
	want := []string{"mapstack-1.2.3+git1-1.loongarch64.rpm", "mapstack-1.2.3+git1-1.x86_64.rpm", "mapstack-amd64.spdx.json", "mapstack-linux-amd64",
		"mapstack-linux-loong64", "mapstack-loong64.spdx.json", "mapstack-oci.tar", "mapstack_1.2.3+git1_amd64.deb", "mapstack_1.2.3+git1_loong64.deb"}
	if got := slices.Sorted(maps.Keys(one)); !slices.Equal(got, want) {
		t.Fatalf("the files are %q, want %q", got, want)
	}
	for name, content := range one {
		if !bytes.Equal(content, other[name]) {
			t.Errorf("%s differs from build to build", name)
		}
	}
}

// billed reads the bill of materials as others do.
func billed(t *testing.T, dist string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dist, "mapstack-amd64.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bill, err := spdx.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(bill); err != nil {
		t.Error(err)
	}
	sum, err := sha256Of(filepath.Join(dist, prefix+"amd64"))
	if err != nil {
		t.Fatal(err)
	}
	if got := bill.Packages[0].PackageChecksums[0].Value; got != sum {
		t.Errorf("the hash of the program is %s in the bill, and %s", got, sum)
	}
	if len(bill.Packages) != 2 || bill.Packages[1].PackageName != "stdlib" || bill.CreationInfo.Created != "2025-11-29T00:00:00Z" {
		t.Errorf("%+v, made %s: the program has Go's library alone", bill.Packages, bill.CreationInfo.Created)
	}
}

// judged shows the packages to the programs that judge packages.
func judged(t *testing.T, dist string) {
	t.Helper()
	for _, judge := range []struct{ pkg, args, says string }{
		{"lintian", "lintian --allow-root --fail-on error,warning mapstack_1.2.3+git1_amd64.deb", ""},
		{"dpkg", "dpkg-deb --field mapstack_1.2.3+git1_loong64.deb Architecture", "loong64"},
		{"rpmlint", "rpmlint --config CONFIG mapstack-1.2.3+git1-1.x86_64.rpm", "0 errors, 0 warnings"},
		{"skopeo", "skopeo inspect --override-arch loong64 oci-archive:mapstack-oci.tar", `"Architecture": "loong64"`},
	} {
		t.Run(judge.pkg, func(t *testing.T) {
			args := strings.Fields(judge.args)
			if _, err := exec.LookPath(args[0]); err != nil {
				t.Skipf("not run: no %s here; apt-get install %s", args[0], judge.pkg)
			}
			config, err := filepath.Abs("rpmlint.toml")
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.Index(args, "CONFIG"); i >= 0 {
				args[i] = config
			}
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Dir = dist
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), judge.says) {
				t.Errorf("%v: %v\n%s", args, err, out)
			}
		})
	}
}

// TestWhatIsMissingIsSaid fails if a release is made of nothing, or at no time.
func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, c := range []struct{ version, epoch, says string }{
		{"1", "", "SOURCE_DATE_EPOCH"}, {"1", "yesterday", "SOURCE_DATE_EPOCH"}, {"", epoch, "-version"}, {"1", epoch, "make dist"},
	} {
		err := pack(release{Dir: t.TempDir(), Version: c.version}, c.epoch)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("version %q at %q: %v, want words of %s", c.version, c.epoch, err, c.says)
		}
	}
}
