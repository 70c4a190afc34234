package qemu

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// TryKVM boots cfg's kernel under KVM until it writes its first line. It returns
// why KVM cannot be used, or "". Only a try tells: with nested virtualisation
// /dev/kvm often opens, and the guest hangs.
func TryKVM(ctx context.Context, cfg Config) string {
	if err := OpenKVM(); err != nil {
		return fmt.Sprintf("KVM cannot be used: %v", err)
	}
	cfg.Accel = KVM
	t := TimeoutsFor(KVM, 1)
	said := &firstLine{seen: make(chan struct{})}
	m, err := Start(ctx, cfg, said, t)
	if err != nil {
		return fmt.Sprintf("KVM cannot be used: %v", err)
	}
	defer func() { _ = m.Stop() }()
	select {
	case <-said.seen:
		return ""
	case <-m.Exited():
		return fmt.Sprintf("KVM does not work here: %v", m.Err())
	case <-ctx.Done():
		return "the run was stopped while KVM was tried"
	case <-time.After(t.SelfTest):
		return fmt.Sprintf("KVM does not work here: /dev/kvm opens, but a kernel writes nothing within %v", t.SelfTest)
	}
}

// OpenKVM returns why /dev/kvm cannot be opened. A driver may let an open wait for ever, and
// then only the end of this process ends that one.
func OpenKVM() error {
	limit := TimeoutsFor(KVM, 1).SelfTest
	opened := make(chan error, 1)
	go func() {
		f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
		if err == nil {
			err = f.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		return err
	case <-time.After(limit):
		return &os.PathError{Op: "open", Path: "/dev/kvm", Err: fmt.Errorf("no answer within %v", limit)}
	}
}

// firstLine closes seen when the kernel has written its banner.
type firstLine struct {
	once sync.Once
	b    []byte
	seen chan struct{}
}

var banner = []byte("Linux version ")

func (f *firstLine) Write(p []byte) (int, error) {
	if len(f.b) < 1<<16 {
		f.b = append(f.b, p...)
	}
	if bytes.Contains(f.b, banner) {
		f.once.Do(func() { close(f.seen) })
	}
	return len(p), nil
}
