//go:build boot

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
)

// likeness returns an os-release with the names of a vendor's system, which says that its parts
// are Debian's.
func likeness(id, version string) map[string]string {
	return map[string]string{"etc/os-release": fmt.Sprintf("ID=%q\nVERSION_ID=%q\nPRETTY_NAME=\"synthetic %s %s of Debian's parts\"\n", id, version, id, version)}
}

// TestBootAMatrixFile tests several images, a package and a cell of the built-in matrix by one
// command. An image that is missing and one that is damaged must cost their own cells alone.
func TestBootAMatrixFile(t *testing.T) {
	p := debianParts(t)
	p.named("kylin-sp3.img", likeness("kylin", "V10"))
	p.named("kylin-v11.img", likeness("kylin", "V11"))
	p.named("uos.img", likeness("uos", "20"))
	p.rpm()
	if err := os.WriteFile(filepath.Join(p.dir, "damaged.img"), []byte("no image at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	file, out := filepath.Join(p.dir, "mine.yaml"), t.TempDir()
	text := `cells:
  - {name: server, osImage: "kylin-*.img", os: kylin, extends: small}
  - {name: uos, osImage: uos.img, os: uos-server-20, arch: amd64, series: "6.1"}
  - {name: rpm, kernel: synthetic-kernel.rpm, params: [{value: transparent_hugepage=never, reason: as our servers are started}]}
  - {name: settings, kernel: synthetic-kernel.rpm, policy: [{of: sysctl, name: kernel.pid_max, value: "65536", source: our sysctl.conf}]}
  - {name: damaged, osImage: damaged.img}
  - {name: gone, osImage: gone.img}
  - {cell: ` + bundled + `}
shared:
  small: {cpus: 2, memoryMiB: 768}
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := execute(t, "run", "--matrix", file, "--focus", "stage0", "--out", out)
	if exitCode(err) != verdict.ExitInfrastructure {
		t.Errorf("a damaged image ends the run with %v\n%s", err, said)
	}
	r := reportIn(t, out)
	want := map[string]verdict.Verdict{"server-kylin-sp3": verdict.Conformant, "server-kylin-v11": verdict.Conformant, "uos": verdict.Conformant, "rpm": verdict.Conformant,
		"settings": verdict.Conformant, "damaged": verdict.Incomplete, "gone": verdict.Incomplete, bundled: verdict.Conformant}
	for _, c := range r.Cells {
		if c.Verdict.Verdict != want[c.Name] || c.Matrix != "mine.yaml" {
			t.Errorf("cell %s of %q is %s: %+v", c.Name, c.Matrix, c.Verdict.Verdict, c.Failure)
		}
		delete(want, c.Name)
		switch params := fmt.Sprint(c.KernelParams); c.Name {
		case "server-kylin-sp3":
			if c.CPUs != 2 || c.MemoryMiB != 768 || c.OS != "Kylin (麒麟): synthetic kylin V10 of Debian's parts" {
				t.Errorf("%+v", c)
			}
		case "uos":
			if c.System != "uos-server-20" || !strings.HasPrefix(c.OS, "UOS Server 20") {
				t.Errorf("%+v", c)
			}
		case "rpm":
			if !strings.Contains(params, "{transparent_hugepage=never as our servers are started}") {
				t.Errorf("the kernel had %s", params)
			}
		case "settings":
			if !strings.Contains(params, "sysctl.kernel.pid_max=65536") {
				t.Errorf("the kernel had %s", params)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("cells that did not run: %v", want)
	}
	if strings.Contains(said, p.dir) {
		t.Errorf("the folders of the files are told:\n%s", said)
	}
}

// TestBootWholeSystemsOneAfterAnother boots the same system twice by a matrix file. The second
// one must not begin before the first one has ended: each has more than a third of the memory
// that a small host lends guests.
func TestBootWholeSystemsOneAfterAnother(t *testing.T) {
	image := withAppArmor.installed(t)
	file, out := filepath.Join(t.TempDir(), "mine.yaml"), t.TempDir()
	text := fmt.Sprintf("cells:\n  - {name: first, osImage: %q, fullBoot: true, passwordFile: %q, extends: both}\n  - {name: second, osImage: %q, fullBoot: true, passwordFile: %q, extends: both}\n"+
		"shared:\n  both: {memoryMiB: 1024, os: debian}\n", image, passwordFile(t), image, passwordFile(t))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if said, err := execute(t, "run", "--matrix", file, "--focus", "stage0", "--out", out); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	r := reportIn(t, out)
	for i, name := range []string{"first", "second"} {
		if c := r.Cells[i]; c.Name != name || c.Target != string(matrix.FullBoot) || c.MemoryMiB > 1024 || !strings.HasPrefix(c.OS, "Debian: Debian GNU/Linux 12") {
			t.Errorf("%+v", c)
		}
	}
	runs, err := filepath.Glob(filepath.Join(out, "[0-9]*"))
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v", runs, err)
	}
	if said, err := execute(t, "verdict", runs[0]); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}
