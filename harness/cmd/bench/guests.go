package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/mapstack/conformance/harness/machine/qemu"
	"github.com/mapstack/conformance/harness/machine/target"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/run"
	"github.com/mapstack/conformance/harness/run/workbench"
)

// compare measures a cell's restore against its boot. For the first cell, one of amd64, it
// also measures restores and boots against a bare QEMU.
func compare(ctx context.Context, bench *workbench.Bench, cell matrix.Cell, times int) ([]Row, error) {
	restored, booted := bench.Engine(), bench.Engine()
	booted.Fresh = true
	restore, err := restored.Open(ctx, bench.Bind(cell)[0], io.Discard)
	if err != nil {
		return nil, err
	}
	boot, err := booted.Open(ctx, bench.Bind(cell)[0], io.Discard)
	if err != nil {
		return nil, err
	}
	afresh := func() (float64, error) { return toResult(ctx, boot) }
	r, err := contest(times, "restore to result, "+cell.Name, 1.0/8, "restored", "booted",
		func() (float64, error) { return toResult(ctx, restore) }, afresh)
	if err != nil || cell.Name != machines[0] {
		return []Row{r}, err
	}
	rows := []Row{r}
	bare, err := newBare(ctx, bench, cell)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bare.dir)
	compressed := func() (float64, error) { return bare.boot(ctx, bare.shipped) }
	for _, c := range []struct {
		what       string
		target     float64
		of, to     string
		one, other func() (float64, error)
	}{
		{"restore to result against what others boot", 1.0 / 30, "restored", "bare QEMU, compressed image",
			func() (float64, error) { return toResult(ctx, restore) }, compressed},
		{"boot to hello against the floor", 1.10, "booted", "bare QEMU, plain image, init that says a word",
			func() (float64, error) { return toHello(ctx, boot) }, func() (float64, error) { return bare.boot(ctx, bare.plain) }},
		{"boot to hello against what others boot", 0.45, "booted", "bare QEMU, compressed image",
			func() (float64, error) { return toHello(ctx, boot) }, compressed},
	} {
		row, err := contest(times, c.what+", "+cell.Name, c.target, c.of, c.to, c.one, c.other)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// benchProbe is the probe that a measured guest runs, because it does next to nothing.
const benchProbe = "sysconf"

// toResult returns the seconds from nothing to a probe's whole transcript.
func toResult(ctx context.Context, o *run.Opened) (float64, error) {
	began := time.Now()
	var took time.Duration
	r, err := o.With(ctx, io.Discard, func(g target.Agent) error {
		_, err := g.Run(ctx, benchProbe, nil)
		took = time.Since(began)
		return err
	})
	return took.Seconds(), errors.Join(err, r.Err())
}

func toHello(ctx context.Context, o *run.Opened) (float64, error) {
	r, err := o.With(ctx, io.Discard, func(target.Agent) error { return nil })
	return r.StartSeconds, err
}

// bare boots a cell's kernel in a guest that has no program of ours but a tiny init.
type bare struct {
	dir            string
	plain, shipped qemu.Config
}

func newBare(ctx context.Context, bench *workbench.Bench, cell matrix.Cell) (*bare, error) {
	rec, err := arch.Lookup(cell.Arch)
	if err != nil {
		return nil, err
	}
	machine, err := rec.Machine(cell.Machine)
	if err != nil {
		return nil, err
	}
	emulator, err := bench.Toolbox.Find(ctx, rec)
	if err != nil {
		return nil, err
	}
	image, err := bench.Kernels.Image(ctx, cell)
	if err != nil {
		return nil, err
	}
	shipped, err := bench.Kernels.Shipped(ctx, cell)
	if err != nil {
		return nil, err
	}
	b := &bare{}
	if b.dir, err = os.MkdirTemp("", "mapstack-bench"); err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := cpio.Newc.Writer(&archive)
	records := []cpio.Record{cpio.Directory("dev", 0o755), cpio.CharDev("dev/console", 0o600, 5, 1), cpio.StaticFile("init", string(initAMD64()), 0o755)}
	if err := errors.Join(cpio.WriteRecords(w, records), cpio.WriteTrailer(w)); err != nil {
		return nil, err
	}
	initrd, compressed := filepath.Join(b.dir, "initrd"), filepath.Join(b.dir, "vmlinuz")
	if err := errors.Join(os.WriteFile(initrd, archive.Bytes(), 0o644), os.WriteFile(compressed, shipped, 0o644)); err != nil {
		return nil, err
	}
	b.plain = qemu.Config{Prefix: emulator.Argv, Arch: rec, Machine: machine, Accel: qemu.TCG, CPUs: cell.CPUs, Memory: cell.Memory,
		Kernel: image.Path, Initrd: initrd, Confined: emulator.Confined}
	b.shipped = b.plain
	b.shipped.Kernel = compressed
	return b, nil
}

// boot returns the seconds until init says its word.
func (b *bare) boot(ctx context.Context, cfg qemu.Config) (float64, error) {
	said := &listener{heard: make(chan struct{})}
	t := qemu.TimeoutsFor(cfg.Accel, cfg.Arch.Slowness)
	began := time.Now()
	m, err := qemu.Start(ctx, cfg, said, t)
	if err != nil {
		return 0, err
	}
	defer m.Stop()
	select {
	case <-said.heard:
		return time.Since(began).Seconds(), nil
	case <-m.Exited():
		return 0, fmt.Errorf("QEMU ended: %w", m.Err())
	case <-time.After(t.Boot):
		return 0, fmt.Errorf("nothing was said within %v", t.Boot)
	}
}

// word is the text that the init of the bare guest writes.
const word = "mapstack floor\n"

// initAMD64 returns a program that writes word and waits for ever. It has an ELF header, one
// program header, a few instructions, and the word.
func initAMD64() []byte {
	const base, headers = 0x400000, 120
	code := []byte{
		0xb8, 1, 0, 0, 0, // mov $1, %eax: write
		0xbf, 1, 0, 0, 0, // mov $1, %edi
		0x48, 0x8d, 0x35, 16, 0, 0, 0, // lea 16(%rip), %rsi: the word
		0xba, byte(len(word)), 0, 0, 0, // mov $len, %edx
		0x0f, 0x05, // syscall
		0xb8, 34, 0, 0, 0, // mov $34, %eax: pause
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // back to pause
	}
	code = append(code, word...)
	size := uint64(headers + len(code))
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, f := range []struct {
		value uint64
		bytes int
	}{
		{2, 2}, {62, 2}, {1, 4}, {base + headers, 8}, {64, 8}, {0, 8}, {0, 4}, {64, 2}, {56, 2}, {1, 2}, {0, 2}, {0, 2}, {0, 2},
		{1, 4}, {5, 4}, {0, 8}, {base, 8}, {base, 8}, {size, 8}, {size, 8}, {0x1000, 8},
	} {
		for i := range f.bytes {
			b.WriteByte(byte(f.value >> (8 * i)))
		}
	}
	return append(b.Bytes(), code...)
}

// listener closes heard once the word is written to it.
type listener struct {
	once  sync.Once
	b     []byte
	heard chan struct{}
}

func (l *listener) Write(p []byte) (int, error) {
	l.b = append(l.b, p...)
	// The console's driver writes \r\n.
	if bytes.Contains(l.b, []byte(word[:len(word)-1])) {
		l.once.Do(func() { close(l.heard) })
	}
	return len(p), nil
}
