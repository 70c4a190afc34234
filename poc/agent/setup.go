package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"unsafe"
)

type mount struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

// mounts are made in this order. A kernel that lacks one is still tested: the
// failure becomes a note in the hello, and the probe that needs it reports that.
var mounts = []mount{
	{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
	{"sysfs", "/sys", "sysfs", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
	{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, "mode=0755"},
	{"tmpfs", "/tmp", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
	// /sys/kernel/security lists the active LSMs.
	{"securityfs", "/sys/kernel/security", "securityfs", 0, ""},
}

// oneGroups is the word on the kernel's command line that asks for control groups of
// version 1. systemd before 256 has a word of that meaning, and systems before it have
// nothing else.
const oneGroups = "mapstack.cgroups=1"

// groupMounts returns the mounts of control groups, where pids.max and memory.max are set:
// one of version 2, or one of version 1 for each controller.
func groupMounts(version1 bool) []mount {
	const flags = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	const root = "/sys/fs/cgroup"
	if !version1 {
		return []mount{{"cgroup2", root, "cgroup2", flags, ""}}
	}
	return []mount{
		{"tmpfs", root, "tmpfs", flags, "mode=0755"},
		{"cgroup", root + "/pids", "cgroup", flags, "pids"},
		{"cgroup", root + "/memory", "cgroup", flags, "memory"},
	}
}

// mountAll mounts what the probes need. It returns what could not be mounted, and the
// kernel's command line.
func mountAll() (notes []string, cmdline string) {
	notes = mountEach(mounts)
	b, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return append(notes, err.Error()), ""
	}
	version1 := false
	for _, word := range strings.Fields(string(b)) {
		version1 = version1 || word == oneGroups
	}
	return append(notes, mountEach(groupMounts(version1))...), string(b)
}

func mountEach(all []mount) (notes []string) {
	for _, m := range all {
		_ = os.MkdirAll(m.target, 0o755)
		if err := syscall.Mount(m.source, m.target, m.fstype, m.flags, m.data); err != nil {
			notes = append(notes, fmt.Sprintf("mount %s on %s: %v", m.fstype, m.target, err))
		}
	}
	return notes
}

// quietPrintk keeps messages below KERN_EMERG off the console. A segfault line
// about a probe's child would cut into the frames that report it.
func quietPrintk() error {
	if err := os.WriteFile("/proc/sys/kernel/printk", []byte("1 4 1 7"), 0); err != nil {
		return fmt.Errorf("lower the console log level: %w", err)
	}
	return nil
}

// openConsole opens the console in raw mode: no echo, no line editing, no
// newline translation, no limit on a line's length.
func openConsole(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the console: %w", err)
	}
	var t syscall.Termios
	if err := ioctl(f, syscall.TCGETS, &t); err != nil {
		return nil, fmt.Errorf("read the console's mode: %w", err)
	}
	t.Iflag = 0
	t.Oflag &^= syscall.OPOST
	t.Lflag &^= syscall.ECHO | syscall.ECHONL | syscall.ICANON | syscall.ISIG | syscall.IEXTEN
	t.Cc[syscall.VMIN], t.Cc[syscall.VTIME] = 1, 0
	if err := ioctl(f, syscall.TCSETS, &t); err != nil {
		return nil, fmt.Errorf("set the console's mode: %w", err)
	}
	return f, nil
}

func ioctl(f *os.File, request uintptr, t *syscall.Termios) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(t)))
	if errno != 0 {
		return errno
	}
	return nil
}

// listProbes returns the sorted names of the probes in dir.
func listProbes(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the probes: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Base(e.Name()))
	}
	sort.Strings(names)
	return names, nil
}
