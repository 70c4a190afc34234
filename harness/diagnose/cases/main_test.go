package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// play is the first argument of a copy of this program that is a part of a case. The
// second one names the part, and the rest is for it.
const play = "play"

// guestFolder holds all programs in a guest. On a host the tests make them.
const guestFolder = "/cases"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == play {
		part, known := parts()[os.Args[2]]
		if !known {
			panic("there is no part " + os.Args[2])
		}
		part(os.Args[3:])
		os.Exit(0)
	}
	if _, err := os.Stat(guestFolder); err == nil && os.Getpid() == 1 {
		first(m)
	}
	os.Exit(m.Run())
}

// first is the first process of a guest: it runs the tests and ends the guest.
func first(m *testing.M) {
	err := settle()
	status := -1
	if err == nil {
		os.Args = append(os.Args[:1], "-test.v", "-test.run=^TestWhatPeopleMetIsToldRightly$")
		status = m.Run()
	}
	fmt.Printf("cases-end %d %v\n", status, err)
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART) // QEMU ends then
	select {}
}

// settle mounts what the tests need. The groups are of version 1 if the image says so.
func settle() error {
	const root = "/sys/fs/cgroup"
	mounts := []mount{{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"devtmpfs", "/dev", ""}, {"tmpfs", "/tmp", "mode=1777"}}
	if _, err := os.Stat(filepath.Join(guestFolder, "groups-of-version-1")); err == nil {
		mounts = append(mounts, mount{"tmpfs", root, "mode=0755"}, mount{"cgroup", root + "/pids", "pids"}, mount{"cgroup", root + "/memory", "memory"})
	} else {
		mounts = append(mounts, mount{"cgroup2", root, ""})
	}
	if err := mountAll(mounts); err != nil {
		return err
	}
	// What the kernel writes to the console would cut into the lines of the tests.
	return os.WriteFile("/proc/sys/kernel/printk", []byte("1 4 1 7"), 0)
}

type mount struct{ kind, at, data string }

func mountAll(all []mount) error {
	for _, m := range all {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.kind, m.at, m.kind, 0, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.at, err)
		}
	}
	return nil
}
