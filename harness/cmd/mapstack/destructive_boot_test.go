//go:build boot

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/debian"
)

// owned is PID 1 of a small system with one owner: Debian's busybox and the program that
// vendors get. It runs probes that could harm others, and compares the system with what it
// was before.
const owned = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mount -t cgroup2 cgroup /sys/fs/cgroup
seen() {
	for f in kernel/pid_max kernel/threads-max kernel/yama/ptrace_scope user/max_user_namespaces vm/max_map_count vm/mmap_min_addr vm/overcommit_memory; do
		echo "$f $(cat /proc/sys/$f)"
	done
	find /sys/fs/cgroup -type d; cat /sys/fs/cgroup/cgroup.subtree_control /proc/self/limits /proc/mounts; ls /tmp
}
seen >/root/before
cd /root
for how in "" --destructive; do
	mapstack run --target native $how --focus address,limits,goruntime --out /root/out >/root/said 2>/root/log
	echo "owned-status '$how' $?"
	grep -E 'native-amd64 .*(conformant|incomplete)' /root/said || tail -n 20 /root/log
	grep -E '^(FAIL|ERROR|NOT-RUN)' -A 4 /root/said
done
seen >/root/after
diff /root/before /root/after && echo owned-unchanged
reboot -f
`

// TestBootDestructiveOnAMachineOfItsOwn runs probes that could harm others, as native, on a
// system that is thrown away. It has a real kernel and a static mapstack, but no Go, network
// or QEMU.
func TestBootDestructiveOnAMachineOfItsOwn(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	dir := t.TempDir()
	said(t, exec.CommandContext(ctx, "make", "-C", "../../..", "dist", "HOSTS=amd64", "DIST="+dir))
	bench, err := workbench.Open(ctx, workbench.Options{Dir: ".", Data: fixtures.FS(), Sink: progress.Discard})
	if err != nil {
		t.Fatal(err)
	}
	all, err := matrix.Load(fixtures.FS())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := matrix.Select(all, matrix.Selection{Cell: bundled})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := arch.Lookup(cells[0].Arch)
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := bench.Kernels.Image(ctx, cells[0])
	if err != nil {
		t.Fatal(err)
	}
	emulator, err := bench.Toolbox.Find(ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	initrd := ownedSystem(ctx, t, bench.Client, cells[0].Kernel.Suite, filepath.Join(dir, "mapstack-linux-amd64"))
	cfg := qemu.Config{Prefix: emulator.Argv, Arch: rec, Machine: rec.Machines[""], Accel: qemu.TCG, CPUs: 2, Memory: 2048,
		Kernel: kernel.Path, Initrd: initrd, Confined: emulator.Confined}
	var console bytes.Buffer // read when QEMU has ended
	machine, err := qemu.Start(ctx, cfg, &console, qemu.TimeoutsFor(qemu.TCG, rec.Slowness))
	if err != nil {
		t.Fatal(err)
	}
	<-machine.Exited() // ctx bounds it
	if err := machine.Stop(); err != nil {
		t.Error(err)
	}
	text := strings.ReplaceAll(console.String(), "\r", "")
	for _, want := range []string{
		`owned-status '' 2\n`,
		` native-amd64 +incomplete .* 0/0/0/0/[0-9]+ .* 0/0/0/0/[0-9]+ *\n`,
		`probe threadlimits can harm a system`,
		`owned-status '--destructive' 0\n`,
		` native-amd64 +conformant .* [1-9][0-9]*/0/0/0/0 .* [1-9][0-9]+/0/0/[0-9]+/0 *\n`,
		`owned-unchanged\n`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("the console does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(text[max(0, len(text)-20000):])
	}
}

// ownedSystem makes the initramfs of the system.
func ownedSystem(ctx context.Context, t *testing.T, client *debian.Client, suite, program string) string {
	t.Helper()
	dir := t.TempDir()
	index, err := client.Index(ctx, suite, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	found, err := index.Find("busybox-static")
	if err != nil {
		t.Fatal(err)
	}
	deb, err := client.Fetch(ctx, found)
	if err != nil {
		t.Fatal(err)
	}
	if err := debian.Unpack(ctx, deb, dir, func(name string) bool { return filepath.Base(name) == "busybox" }); err != nil {
		t.Fatal(err)
	}
	boxes, err := filepath.Glob(filepath.Join(dir, "*bin", "busybox"))
	if more, _ := filepath.Glob(filepath.Join(dir, "usr", "bin", "busybox")); err == nil {
		boxes = append(boxes, more...)
	}
	if err != nil || len(boxes) != 1 {
		t.Fatalf("busybox is %v in the package, %v", boxes, err)
	}
	records := []cpio.Record{cpio.StaticFile("init", owned, 0o755), cpio.CharDev("dev/console", 0o600, 5, 1)}
	for _, name := range []string{"bin", "dev", "proc", "root", "sys", "tmp"} {
		records = append([]cpio.Record{cpio.Directory(name, 0o755)}, records...)
	}
	for name, path := range map[string]string{"bin/busybox": boxes[0], "bin/mapstack": program} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, cpio.StaticFile(name, string(b), 0o755))
	}
	var b bytes.Buffer
	w := cpio.Newc.Writer(&b)
	if err := cpio.WriteRecords(w, records); err != nil {
		t.Fatal(err)
	}
	if err := cpio.WriteTrailer(w); err != nil {
		t.Fatal(err)
	}
	initrd := filepath.Join(dir, "owned.cpio")
	if err := os.WriteFile(initrd, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return initrd
}
