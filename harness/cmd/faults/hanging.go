package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// silent is a file that answers nothing but, perhaps, an open. Whoever asks waits until a
// signal interrupts the wait.
type silent struct {
	fs.Inode
	opens bool
}

var (
	_ fs.NodeOpener  = (*silent)(nil)
	_ fs.NodeIoctler = (*silent)(nil)
)

// Open answers only if the file opens.
func (s *silent) Open(ctx context.Context, _ uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if s.opens {
		return nil, fuse.FOPEN_DIRECT_IO, 0
	}
	<-ctx.Done()
	return nil, 0, syscall.EINTR
}

// Ioctl never answers.
func (s *silent) Ioctl(ctx context.Context, _ fs.FileHandle, _ uint32, _ uint64, _, _ []byte) (int32, syscall.Errno) {
	<-ctx.Done()
	return 0, syscall.EINTR
}

// hangingKVM puts a file over /dev/kvm that opens and answers nothing, or does not even open.
// A guest system that passes on the KVM of its host badly looks like that.
func hangingKVM(t *trial) error {
	const kvm = "/dev/kvm"
	if _, err := os.Stat(kvm); err != nil {
		return fmt.Errorf("this host has no %s to put a file over: %w", kvm, err)
	}
	file := &silent{opens: t.random.IntN(2) == 0}
	if file.opens {
		t.note += " after it was opened"
	}
	dir := filepath.Join(t.rig.dir, "hanging")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := &fs.Inode{}
	server, err := fs.Mount(dir, root, &fs.Options{
		MountOptions: fuse.MountOptions{AllowOther: true, DirectMountStrict: true, FsName: "hanging", Name: "hanging"},
		OnAdd: func(ctx context.Context) {
			root.AddChild("kvm", root.NewPersistentInode(ctx, file, fs.StableAttr{Mode: fuse.S_IFREG}), false)
		},
	})
	if err != nil {
		return fmt.Errorf("mount a file system that hangs: %w", err)
	}
	t.mend = append(t.mend, func() error { return unix.Unmount(kvm, unix.MNT_DETACH) }, func() error {
		defer server.Wait()
		return unix.Unmount(dir, unix.MNT_DETACH)
	})
	return unix.Mount(filepath.Join(dir, "kvm"), kvm, "", unix.MS_BIND, "")
}

// jumpClock sets the machine's clock forth or back, by up to most, beside the run, and sets it
// right after it.
func jumpClock(most time.Duration) func(*trial, *process) {
	return func(t *trial, p *process) {
		by := time.Duration((2*t.random.Float64() - 1) * float64(most))
		after := t.moment()
		t.note += fmt.Sprintf(" by %v after %v", by.Round(time.Second), after.Round(time.Millisecond))
		select {
		case <-p.ended:
			t.note += " too late"
			return
		case <-time.After(after):
		}
		// Go's time has a reading of a clock that nobody sets, too, and goes on by that.
		before := time.Now()
		set := func(to time.Time) error {
			now := unix.NsecToTimespec(to.UnixNano())
			if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
				return fmt.Errorf("set the clock: %w", err)
			}
			return nil
		}
		t.mend = append(t.mend, func() error { return set(before.Add(time.Since(before))) })
		if err := set(before.Add(by)); err != nil {
			t.mend = append(t.mend, func() error { return err })
		}
	}
}
