//go:build boot

package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/rpmpack"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// synthetic packs Debian's kernel into the forms in which vendors hold theirs.
type synthetic struct {
	t      *testing.T
	dir    string
	kernel []byte
}

func debianParts(t *testing.T) synthetic {
	t.Helper()
	l := openLab(t, bundled)
	kernel, err := l.bench.Kernels.Shipped(t.Context(), l.cell)
	if err != nil {
		t.Fatal(err)
	}
	return synthetic{t, t.TempDir(), kernel}
}

// root makes the root folder of a system. settings are its files, by their names.
func (p synthetic) root(settings map[string]string) string {
	p.t.Helper()
	root, err := os.MkdirTemp(p.dir, "root")
	if err != nil {
		p.t.Fatal(err)
	}
	files := map[string]string{
		"boot/vmlinuz-6.1.0": string(p.kernel),
		"etc/os-release":     "ID=openEuler\nVERSION_ID=22.03\nPRETTY_NAME=\"synthetic openEuler 22.03 of Debian's parts\"\n",
	}
	for name, text := range settings {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	return root
}

func (p synthetic) run(name string, args ...string) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/sbin:/usr/sbin")
	if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		cmd.Path, cmd.Err = path, nil
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func (p synthetic) ext4(settings map[string]string) string {
	p.t.Helper()
	return p.named("synthetic.ext4", settings)
}

// named is ext4 with a name of its own for the image.
func (p synthetic) named(name string, settings map[string]string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	_ = os.Remove(path) // the one before
	p.run("mke2fs", "-q", "-t", "ext4", "-d", p.root(settings), path, "64M")
	return path
}

// qcow2 makes a compressed qcow2 image of a disk with a GPT and xfs.
func (p synthetic) qcow2() string {
	p.t.Helper()
	root, proto := p.root(nil), filepath.Join(p.dir, "proto")
	text := fmt.Sprintf("/stage1\n0 0\nd--755 0 0\nboot d--755 0 0\nvmlinuz-6.1.0 ---644 0 0 %s/boot/vmlinuz-6.1.0\n$\netc d--755 0 0\nos-release ---644 0 0 %s/etc/os-release\n$\n$\n", root, root)
	if err := os.WriteFile(proto, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
	const sectors = 320 << 20 / 512
	disk, path := filepath.Join(p.dir, "synthetic.img"), filepath.Join(p.dir, "synthetic.qcow2")
	if err := os.WriteFile(disk, nil, 0o644); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Truncate(disk, (sectors+8192)*512); err != nil {
		p.t.Fatal(err)
	}
	table := exec.CommandContext(p.t.Context(), "/usr/sbin/sfdisk", "-q", disk)
	table.Stdin = strings.NewReader(fmt.Sprintf("label: gpt\nstart=4096, size=%d, type=linux\n", sectors))
	if out, err := table.CombinedOutput(); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	volume := filepath.Join(p.dir, "synthetic.xfs")
	p.run("mkfs.xfs", "-q", "-p", proto, "-d", fmt.Sprintf("file,name=%s,size=%d", volume, sectors*512))
	p.run("dd", "if="+volume, "of="+disk, "bs=512", "seek=4096", "conv=notrunc,sparse", "status=none")
	p.run("qemu-img", "convert", "-c", "-O", "qcow2", disk, path)
	return path
}

func (p synthetic) rpm() string {
	p.t.Helper()
	r, err := rpmpack.NewRPM(rpmpack.RPMMetaData{Name: "synthetic-kernel-core", Version: "6.1.0", Release: "1", Arch: "x86_64", Compressor: "zstd"})
	if err != nil {
		p.t.Fatal(err)
	}
	r.AddFile(rpmpack.RPMFile{Name: "/lib/modules/6.1.0-1/vmlinuz", Body: p.kernel, Mode: 0o100755})
	path := filepath.Join(p.dir, "synthetic-kernel.rpm")
	f, err := os.Create(path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	if err := r.Write(f); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// TestBootTheKernelOfWhatAVendorHolds boots Debian's kernel from an image and from a package,
// and judges it. The vendor's file must not change.
func TestBootTheKernelOfWhatAVendorHolds(t *testing.T) {
	p := debianParts(t)
	for _, c := range []struct{ option, file, chain string }{
		{"--os-image", p.qcow2(), "qcow2 partition 1 xfs /boot/vmlinuz-6.1.0"},
		{"--kernel", p.rpm(), "rpm /lib/modules/6.1.0-1/vmlinuz"},
	} {
		before := state(t, c.file)
		r := judged(t, verdict.ExitConformant, c.option, c.file, "--focus", "stage0")
		if got := strings.Join(r.Cells[0].Kernel.Provenance.Chain, " "); got != c.chain || r.Verdict.Verdict != verdict.Conformant {
			t.Errorf("%s: found by way of %q, %+v", c.file, got, r.Verdict)
		}
		if after := state(t, c.file); after != before {
			t.Errorf("%s was %s and is %s", c.file, before, after)
		}
	}
}

// TestBootUnderTheLimitsOfASystem gives the guest the limits that an image sets. The lowest
// limit must refuse threads, and the report must say which one it is and where it is set.
func TestBootUnderTheLimitsOfASystem(t *testing.T) {
	p := debianParts(t)
	for name, c := range map[string]struct {
		settings map[string]string
		fail     map[string][]string // claim -> what its reason says
	}{
		"ordinary": {map[string]string{"etc/systemd/system.conf": "#DefaultTasksMax=15%\n", "etc/sysctl.d/9.conf": "kernel.pid_max = 65536\n"}, nil},
		"narrow": {map[string]string{
			"etc/systemd/system.conf":  "[Manager]\nDefaultTasksMax=200\n",
			"etc/security/limits.conf": "# of the vendor\n* hard nproc 500\n* soft nproc 500\n",
			"etc/sysctl.d/9.conf":      "vm.max_map_count = 3000\nvm.overcommit_memory = 9\n",
		}, map[string][]string{
			"OS-001": {"tasks 200 (/etc/systemd/system.conf:2)", "pids.max refused", "failed to create new OS thread"},
			"OS-002": {"nproc 500:500 (/etc/security/limits.conf:2 and /etc/security/limits.conf:3)", "failed to create new OS thread"},
			"OS-003": {"vm.overcommit_memory, which /etc/sysctl.d/9.conf:2 sets"},
		}},
		"a share of few": {map[string]string{
			"usr/lib/systemd/systemd":  "",
			"etc/security/limits.conf": "* soft nproc 4096\n* - nproc 300\n",
			"etc/sysctl.conf":          "kernel.threads-max = 2000\n",
		}, map[string][]string{
			"OS-001": {"tasks 15% (systemd-system.conf(5)", "pids.max refused", "failed to create new OS thread"},
			"OS-002": {"nproc 300:300 (/etc/security/limits.conf:2)", "failed to create new OS thread"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := p
			p.t = t
			r := judged(t, verdict.ExitConformant, "--os-image", p.ext4(c.settings), "--focus", "system")
			if r.Cells[0].Name != "given-openeuler-22.03-amd64" {
				t.Errorf("the cell is %s", r.Cells[0].Name)
			}
			for _, s := range r.Cells[0].Kernel.Provenance.Policy {
				if refused := s.Name == "vm.overcommit_memory"; refused != strings.Contains(s.Left, "invalid argument") {
					t.Errorf("the report says that %s is left for %q", s.Name, s.Left)
				}
			}
			failed := 0
			for _, o := range r.Outcomes {
				want := verdict.Pass
				if c.fail[o.Claim] != nil {
					want = verdict.Fail
					failed++
				}
				if o.Status != want {
					t.Errorf("%s is %s: %s", o.Claim, o.Status, o.Reason)
				}
				for _, part := range c.fail[o.Claim] {
					if !strings.Contains(o.Reason, part) {
						t.Errorf("%s does not say %q: %s", o.Claim, part, o.Reason)
					}
				}
			}
			if len(r.Outcomes) != 3 || failed != len(c.fail) {
				t.Errorf("%d outcomes, %d expected to fail", len(r.Outcomes), failed)
			}
		})
	}
}

// judged runs one given cell and returns its report.
func judged(t *testing.T, exit int, args ...string) report.Report {
	t.Helper()
	out := t.TempDir()
	said, err := execute(t, append([]string{"run", "--out", out}, args...)...)
	if code := exitCode(err); code != exit {
		t.Fatalf("%v ends with %d, want %d: %v\n%s", args, code, exit, err, said)
	}
	return reported(t, out)
}

// reported returns the report of the only run of a folder, of one cell.
func reported(t *testing.T, out string) report.Report {
	t.Helper()
	r := reportIn(t, out)
	if len(r.Cells) != 1 {
		t.Fatalf("%d cells", len(r.Cells))
	}
	return r
}

// reportIn returns the report of the only run of a folder.
func reportIn(t *testing.T, out string) report.Report {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(out, "[0-9]*", "report.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the reports are %v, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// state returns a hash of a file's content, and when the file was changed.
func state(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x of %v", sha256.Sum256(b), info.ModTime())
}
