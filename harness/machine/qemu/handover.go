package qemu

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// handover gives files of root to a QEMU that runs as another user. That user may not even
// enter the folders above them, so QEMU gets descriptors: of a file or folder that
// everybody may read, or of a file that is open already. If QEMU runs as this process's
// user, every path stays as it is.
type handover struct {
	user  int
	files []*os.File
	names map[string]string // a path, and its name in QEMU
	sets  []Argument        // the open files
	owned []string          // paths of files that the user owns until they are taken back
}

// add returns the number that the descriptor has in QEMU.
func (h *handover) add(f *os.File) int {
	h.files = append(h.files, f)
	return devicesFD + len(h.files)
}

// seen returns the name under which QEMU sees a file or a folder.
func (h *handover) seen(path string) (string, error) {
	if h.user == 0 {
		return path, nil
	}
	if name, ok := h.names[path]; ok {
		return name, nil
	}
	f, err := os.OpenFile(path, unix.O_PATH, 0)
	if err != nil {
		return "", fmt.Errorf("hand a file to QEMU: %w", err)
	}
	if h.names == nil {
		h.names = map[string]string{}
	}
	h.names[path] = "/proc/self/fd/" + strconv.Itoa(h.add(f))
	return h.names[path], nil
}

// below returns the name under which QEMU sees a file that need not exist yet. QEMU gets
// the file's folder.
func (h *handover) below(path string) (string, error) {
	if h.user == 0 {
		return path, nil
	}
	dir, err := h.seen(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// words returns a command whose absolute paths are replaced by names that QEMU sees.
func (h *handover) words(command []string) ([]string, error) {
	all := slices.Clone(command)
	for i, word := range all {
		if !filepath.IsAbs(word) {
			continue
		}
		var err error
		if all[i], err = h.seen(word); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// open returns QEMU's name of a file that this process opens for it, once in each of the
// ways in which QEMU opens it.
func (h *handover) open(path string, flags ...int) (string, error) {
	if h.user == 0 || path == "" {
		return path, nil
	}
	set := ""
	for _, flag := range flags {
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			return "", fmt.Errorf("hand a file to QEMU: %w", err)
		}
		fd := strconv.Itoa(h.add(f))
		set = cmp.Or(set, fd)
		h.sets = append(h.sets, repeatable("-add-fd", "fd", property{"fd", fd}, property{"set", set}))
	}
	return "/dev/fdset/" + set, nil
}

// create makes an empty file that QEMU may write.
func (h *handover) create(path string, size int64) (string, error) {
	if h.user == 0 {
		return path, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", fmt.Errorf("make a file for QEMU: %w", err)
	}
	defer f.Close()
	h.owned = append(h.owned, path)
	if err := errors.Join(f.Truncate(size), f.Chown(h.user, h.user)); err != nil {
		return "", fmt.Errorf("make a file for QEMU: %w", err)
	}
	return h.below(path)
}

// takeBack makes this process own what create made. Everybody may read it: a QEMU that
// restores it runs as another user again.
func (h *handover) takeBack() error {
	var all []error
	for _, path := range h.owned {
		all = append(all, os.Chown(path, os.Geteuid(), os.Getegid()), os.Chmod(path, 0o644))
	}
	h.owned = nil
	return errors.Join(all...)
}

// temporary makes a folder the one for QEMU's temporary files, and returns the environment
// that says so.
func (h *handover) temporary(dir string) ([]string, error) {
	if h.user != 0 {
		if err := os.Chown(dir, h.user, h.user); err != nil {
			return nil, fmt.Errorf("give QEMU a folder for its temporary files: %w", err)
		}
	}
	name, err := h.seen(dir)
	if err != nil {
		return nil, err
	}
	return []string{"TMPDIR=" + name}, nil
}

// close closes the descriptors, which QEMU has inherited.
func (h *handover) close() {
	for _, f := range h.files {
		_ = f.Close()
	}
}

// launch is a QEMU to start: what Config.Arguments says, in words that its user can follow.
type launch struct {
	argv []string
	env  []string
	*handover
}

// launch prepares the start of the machine. The caller closes it.
func (c Config) launch() (l launch, err error) {
	if _, err := c.Arguments(); err != nil {
		return l, err // it names the paths that the user knows
	}
	h := &handover{user: c.Confined.User}
	l = launch{handover: h, env: environment()}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if c.Prefix, err = h.words(c.Prefix); err != nil {
		return l, err
	}
	for _, path := range []*string{&c.Kernel, &c.Initrd, &c.Firmware} {
		if *path == "" {
			continue
		}
		if *path, err = h.seen(*path); err != nil {
			return l, err
		}
	}
	switch {
	case c.RAM == "":
	case c.Restore:
		c.RAM, err = h.below(c.RAM)
	default:
		c.RAM, err = h.create(c.RAM, int64(c.Memory)<<20)
	}
	if err != nil {
		return l, err
	}
	if c.Accel == KVM {
		c.kvm = "/dev/kvm"
		if c.kvm, err = h.open(c.kvm, os.O_RDWR); err != nil {
			return l, err
		}
	}
	if err := c.openDisks(h); err != nil {
		return l, err
	}
	if c.Temporary != "" {
		more, err := h.temporary(c.Temporary)
		if err != nil {
			return l, err
		}
		l.env = append(l.env, more...)
	}
	c.handed = h.sets
	l.argv, err = c.Argv()
	return l, err
}

// openDisks replaces the paths of disks by descriptors, since a disk that somebody gave
// may be readable by root alone.
func (c *Config) openDisks(h *handover) (err error) {
	for _, path := range []*string{&c.Disk, &c.Programs, &c.System} {
		if *path, err = h.open(*path, os.O_RDONLY); err != nil {
			return err
		}
	}
	c.Drives = slices.Clone(c.Drives)
	for i := range c.Drives {
		d := &c.Drives[i]
		flags := []int{os.O_RDONLY}
		if d.Writable {
			flags = append(flags, os.O_RDWR) // QEMU looks at a disk before it opens it to write
		}
		if d.Path, err = h.open(d.Path, flags...); err != nil {
			return err
		}
	}
	return nil
}
