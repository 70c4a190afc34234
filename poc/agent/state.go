package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

const (
	// maxLeft bounds how many differences are reported.
	maxLeft = 20
	// maxValue bounds what is compared of one file, in bytes.
	maxValue = 4 << 10
	// maxOpen bounds how many files stay open. A system has some 300 such sysctls and
	// threads, and a process may have 1,024 open files.
	maxOpen = 700
	// kernelThread is PF_KTHREAD (include/linux/sched.h), in the flags of
	// /proc/PID/stat.
	kernelThread = 0x00200000
)

// volatile are the files below /proc/sys that change by themselves, or whose reading
// changes something.
var volatile = map[string]bool{
	"fs/aio-nr": true, "fs/dentry-state": true, "fs/file-nr": true, "fs/inode-nr": true, "fs/inode-state": true,
	"kernel/ns_last_pid": true, "kernel/perf_event_max_sample_rate": true, "kernel/pty/nr": true,
	"kernel/random/boot_id": true, "kernel/random/entropy_avail": true, "kernel/random/uuid": true,
	"vm/stat_refresh": true,
}

// state describes what one probe could leave to the next: processes, mounts, control
// groups, files, System V IPC objects, sysctls, and limits of the agent.
type state map[string]string

// watch reads the state of the machine again and again.
type watch struct {
	folders []string // whose files count
	// open has descriptors of files in /proc, by path. A file that stays open costs one
	// call each time instead of four, and there are hundreds. The descriptor of a thread's
	// file is of that thread alone: it cannot be read for another one with the same number.
	open   map[string]int
	buffer []byte
}

func newWatch(folders []string) *watch {
	return &watch{folders: folders, open: map[string]int{}, buffer: make([]byte, maxValue)}
}

// state reads the state of the machine.
func (w *watch) state() state {
	s := state{}
	w.processes(s)
	w.lines(s, "mount", "/proc/self/mountinfo")
	for _, kind := range []string{"shm", "msg", "sem"} {
		w.lines(s, "System V "+kind, "/proc/sysvipc/"+kind)
	}
	w.lines(s, "limit of the agent", "/proc/self/limits")
	tree("/sys/fs/cgroup", func(path string, folder bool) {
		if folder {
			s["control group "+path] = w.once(filepath.Join(path, "cgroup.controllers")) + "; " +
				w.once(filepath.Join(path, "cgroup.subtree_control"))
		}
	})
	for _, root := range w.folders {
		tree(root, func(path string, _ bool) {
			if info, err := os.Lstat(path); err == nil && (info.IsDir() || info.Mode().IsRegular()) {
				s["file "+path] = fmt.Sprint(info.Mode(), " ", info.Size())
			}
		})
	}
	for _, part := range []string{"fs", "kernel", "user", "vm"} {
		tree("/proc/sys/"+part, func(path string, folder bool) {
			if name := strings.TrimPrefix(path, "/proc/sys/"); !folder && !volatile[name] {
				s["sysctl "+name] = w.text(path)
			}
		})
	}
	return s
}

// processes adds every process that is no thread of the kernel.
func (w *watch) processes(s state) {
	names, _ := readNames("/proc") // without /proc there is nothing to compare
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		known := "/proc/" + name + "/comm" // the shortest file; open for threads of the kernel
		if _, err := w.again(known); err == nil {
			continue
		}
		stat := w.once("/proc/" + name + "/stat")
		// The line is "pid (name) state ppid pgrp session tty tpgid flags".
		f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
		if len(f) < 7 {
			continue // it has ended meanwhile
		}
		flags, err := strconv.ParseUint(f[6], 10, 64)
		switch {
		case err != nil:
		case flags&kernelThread != 0:
			_ = w.text(known)
		default:
			s["process "+name] = stat[strings.IndexByte(stat, '(') : strings.LastIndexByte(stat, ')')+1]
		}
	}
}

// lines adds each line of a file.
func (w *watch) lines(s state, what, path string) {
	for _, line := range strings.Split(w.text(path), "\n") {
		if line != "" {
			s[what+" "+line] = ""
		}
	}
}

// text returns the beginning of a file in /proc, or why it cannot be read. The file stays
// open.
func (w *watch) text(path string) string {
	if text, err := w.again(path); err == nil {
		return text
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err.Error()
	}
	text, err := w.read(fd)
	if err != nil || len(w.open) >= maxOpen {
		syscall.Close(fd)
		return textOr(text, err)
	}
	w.open[path] = fd
	return text
}

// again reads a file that is open already. One that can be read no more is closed.
func (w *watch) again(path string) (string, error) {
	fd, open := w.open[path]
	if !open {
		return "", os.ErrNotExist
	}
	text, err := w.read(fd)
	if err != nil {
		syscall.Close(fd)
		delete(w.open, path)
	}
	return text, err
}

// once returns the beginning of a file, or why it cannot be read.
func (w *watch) once(path string) string {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err.Error()
	}
	defer syscall.Close(fd)
	return textOr(w.read(fd))
}

func (w *watch) read(fd int) (string, error) {
	n, err := syscall.Pread(fd, w.buffer, 0)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(w.buffer[:n])), nil
}

func textOr(text string, err error) string {
	if err != nil {
		return err.Error()
	}
	return text
}

// tree calls visit for a folder and everything below it. What cannot be read is left out.
func tree(root string, visit func(path string, folder bool)) {
	f, err := os.Open(root)
	if err != nil {
		return
	}
	// The kernel tells with the name which entry is a folder.
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil && entries == nil {
		return // it is no folder
	}
	visit(root, true)
	for _, e := range entries {
		path := root + "/" + e.Name()
		if e.IsDir() {
			tree(path, visit)
		} else {
			visit(path, false)
		}
	}
}

func readNames(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// differs returns a sentence for each difference between two states.
func (s state) differs(now state) (left []string) {
	for key, value := range now {
		if was, known := s[key]; !known {
			left = append(left, key+" "+value+" is new")
		} else if was != value {
			left = append(left, fmt.Sprintf("%s was %q and is %q", key, was, value))
		}
	}
	for key := range s {
		if _, still := now[key]; !still {
			left = append(left, key+" is gone")
		}
	}
	sort.Strings(left)
	if more := len(left) - maxLeft; more > 0 {
		left = append(left[:maxLeft], fmt.Sprintf("and %d more", more))
	}
	for i, line := range left {
		if len(line) > 200 {
			left[i] = line[:200] + "..."
		}
	}
	return left
}
