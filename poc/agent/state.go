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

// readState reads the state of the machine. files are the folders whose files count.
func readState(files []string) state {
	s := state{}
	s.processes()
	s.lines("mount", "/proc/self/mountinfo")
	for _, kind := range []string{"shm", "msg", "sem"} {
		s.lines("System V "+kind, "/proc/sysvipc/"+kind)
	}
	s.lines("limit of the agent", "/proc/self/limits")
	s.tree("/sys/fs/cgroup", func(path string, info os.FileInfo) {
		if info.IsDir() {
			s["control group "+path] = head(filepath.Join(path, "cgroup.subtree_control"))
		}
	})
	for _, root := range files {
		s.tree(root, func(path string, info os.FileInfo) {
			s["file "+path] = fmt.Sprint(info.Mode(), " ", info.Size())
		})
	}
	for _, root := range []string{"fs", "kernel", "user", "vm"} {
		s.tree("/proc/sys/"+root, func(path string, info os.FileInfo) {
			if name := strings.TrimPrefix(path, "/proc/sys/"); !info.IsDir() && !volatile[name] {
				s["sysctl "+name] = head(path)
			}
		})
	}
	return s
}

// processes adds every process that is no thread of the kernel.
func (s state) processes() {
	names, _ := readNames("/proc") // without /proc there is nothing to compare
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		stat := head("/proc/" + name + "/stat")
		// The line is "pid (name) state ppid pgrp session tty tpgid flags".
		f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
		if len(f) < 7 {
			continue // it has ended meanwhile
		}
		if flags, err := strconv.ParseUint(f[6], 10, 64); err == nil && flags&kernelThread == 0 {
			s["process "+name] = stat[strings.IndexByte(stat, '(') : strings.LastIndexByte(stat, ')')+1]
		}
	}
}

// lines adds each line of a file.
func (s state) lines(what, path string) {
	for _, line := range strings.Split(head(path), "\n") {
		if line != "" {
			s[what+" "+line] = ""
		}
	}
}

// tree calls visit for every directory and regular file below root.
func (s state) tree(root string, visit func(path string, info os.FileInfo)) {
	info, err := os.Lstat(root)
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return
	}
	visit(root, info)
	if !info.IsDir() {
		return
	}
	names, _ := readNames(root) // what cannot be read shows in visit
	for _, name := range names {
		s.tree(filepath.Join(root, name), visit)
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

// head returns the beginning of a file, or why it cannot be read. It does not use
// os.ReadFile, which asks more of the kernel for each of hundreds of files.
func head(path string) string {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err.Error()
	}
	defer syscall.Close(fd)
	buffer := make([]byte, maxValue)
	n, err := syscall.Read(fd, buffer)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(buffer[:n]))
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
