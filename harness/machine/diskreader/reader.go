// Package diskreader reads disks that no library here reads, such as btrfs and LVM.
// It boots a guest with Debian's kernel and tools, which gets the disk read-only and
// nothing else. Damage that a hostile disk does to that kernel ends with the guest, unless
// the guest takes QEMU over; see qemu.Confinement for what is left to it then.
package diskreader

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/toolbox"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/harness/source/kernel"
)

// Reader boots a guest for each disk that it reads.
type Reader struct {
	// Cell is of this host's architecture: its kernel is the guest's.
	Cell    matrix.Cell
	Kernels *kernel.Resolver
	Client  *debian.Client
	Toolbox *toolbox.Toolbox
	Cache   *cache.Cache
	Sink    progress.Sink
}

const (
	memory = 1024 // MiB, of which the initramfs takes about 200
	// maxOut bounds what the guest writes, in bytes: a few kernels and small files.
	maxOut = 1 << 30
	// slow scales the time that other guests have to boot: this one reads a disk too.
	slow = 4
)

//go:embed init.sh
var initScript []byte

// allDone is what a script writes to the console when it has done its work.
const allDone = "disk reader: all is done"

// Read mounts every file system of the disk. It copies the files that a boot needs
// from each into a numbered folder below the folder to. The file "volumes" in to has
// a line for each: its number and a description. format is QEMU's name of the disk's
// format.
func (r *Reader) Read(ctx context.Context, disk, format, to string) (err error) {
	shown := progress.Event{Stage: progress.Boot, What: "a guest that reads the disk " + filepath.Base(disk)}
	r.Sink(shown)
	defer func() {
		shown.End, shown.Err = true, err
		r.Sink(shown)
	}()
	out := filepath.Join(to, "out.tar")
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(out)
	if err := os.Truncate(out, maxOut); err != nil {
		return err
	}
	if err := r.boot(ctx, initScript, readDrives(disk, format, out)...); err != nil {
		return err
	}
	f, err := os.Open(out)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := debian.UnpackTar(ctx, f, to, maxOut, func(string) bool { return true }); err != nil {
		return fmt.Errorf("unpack what the disk reader's guest wrote: %w", err)
	}
	return nil
}

// readDrives are the disks of Read's guest. Its script knows them by their serial
// numbers.
func readDrives(disk, format, out string) []qemu.Drive {
	return []qemu.Drive{{Serial: "image", Path: disk, Format: format}, {Serial: "out", Path: out, Format: "raw", Writable: true}}
}

// boot runs a script as PID 1 of a guest with some disks. The script must write
// allDone at its end.
func (r *Reader) boot(ctx context.Context, script []byte, drives ...qemu.Drive) error {
	cfg, err := r.config(ctx, script)
	if err != nil {
		return err
	}
	if qemu.TryKVM(ctx, cfg) == "" {
		cfg.Accel = qemu.KVM
	}
	cfg.Drives = drives // the try of KVM must not open them
	said, err := run(ctx, cfg, qemu.TimeoutsFor(cfg.Accel, cfg.Arch.Slowness))
	if err != nil {
		return err
	}
	if !bytes.Contains(said, []byte(allDone)) {
		return fmt.Errorf("the disk reader's guest ended before its work was done; its last words: %q", said[max(0, len(said)-300):])
	}
	return nil
}

// config is the guest without its disks, under TCG.
func (r *Reader) config(ctx context.Context, script []byte) (qemu.Config, error) {
	rec, err := arch.Lookup(runtime.GOARCH)
	if err != nil {
		return qemu.Config{}, err
	}
	machine, err := rec.Machine(r.Cell.Machine)
	if err != nil {
		return qemu.Config{}, err
	}
	emulator, err := r.Toolbox.Find(ctx, rec)
	if err != nil {
		return qemu.Config{}, err
	}
	image, err := r.Kernels.Image(ctx, r.Cell)
	if err != nil {
		return qemu.Config{}, err
	}
	initrd, err := r.initramfs(ctx, script)
	if err != nil {
		return qemu.Config{}, err
	}
	return qemu.Config{Prefix: emulator.Argv, Arch: rec, Machine: machine, Accel: qemu.TCG, CPUs: 1, Memory: memory,
		Kernel: image.Path, Initrd: initrd, Confined: emulator.Confined}, nil
}

// run runs the guest to its end and returns the end of its console output.
func run(ctx context.Context, cfg qemu.Config, t qemu.Timeouts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Boot*slow)
	defer cancel()
	said := &tail{}
	m, err := qemu.Start(ctx, cfg, said, t)
	if err != nil {
		return nil, err
	}
	select {
	case <-m.Exited():
	case <-time.After(t.Boot*slow + t.Monitor): // ctx kills it earlier
	}
	if err := m.Stop(); err != nil {
		return nil, err
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("the disk reader's guest did not end within %v", t.Boot*slow)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case m.Err() != nil:
		return nil, fmt.Errorf("the disk reader's QEMU failed: %w", m.Err())
	}
	return said.b, nil
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

// maxTail bounds what a tail keeps, in bytes.
const maxTail = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - maxTail; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}
