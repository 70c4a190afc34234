//go:build boot

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

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
	l := openLab(t, bundled)
	text := l.boot(ctx, ownedSystem(ctx, t, l, filepath.Join(dir, "mapstack-linux-amd64")))
	for _, want := range []string{
		`owned-status '' 2\n`,
		` native-amd64 +incomplete +[^ ]+ +0/0/[0-9]+/[1-9][0-9]+ `,
		`probe threadlimits can harm a system`,
		`owned-status '--destructive' 0\n`,
		` native-amd64 +conformant +[^ ]+ +0/0/[0-9]+/0 `,
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

// ownedSystem returns the files of the system.
func ownedSystem(ctx context.Context, t *testing.T, l lab, program string) []cpio.Record {
	t.Helper()
	dir := t.TempDir()
	index, err := l.bench.Client.Index(ctx, l.cell.Kernel.Suite, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	found, err := index.Find("busybox-static")
	if err != nil {
		t.Fatal(err)
	}
	deb, err := l.bench.Client.Fetch(ctx, found)
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
	return records
}
