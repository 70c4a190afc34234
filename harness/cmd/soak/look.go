package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// look adds what a process uses now. One that has just ended adds nothing.
func (s *sample) look(pid int) {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		n, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch key {
		case "VmRSS":
			s.memory = max(s.memory, n<<10)
		case "Threads":
			s.threads = max(s.threads, int(n))
		}
	}
	if open, err := os.ReadDir(filepath.Join(folder, "fd")); err == nil {
		s.files = max(s.files, len(open))
	}
}

// orphans counts the processes that the runs left, and collects those that have ended.
func orphans() (n int) {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return n // none is left
		}
		if pid == 0 {
			children, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
			return n + max(1, len(bytes.Fields(children)))
		}
		n++
	}
}

// size returns the bytes of disk and the files below a folder. Snapshots have holes.
func size(folder string) (total, files int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		total += info.Sys().(*syscall.Stat_t).Blocks * 512 // stat(2)
		files++
		return nil
	})
	return total, files, err
}

// tail returns the end of a file.
func tail(name string) []byte {
	b, _ := os.ReadFile(name)
	return b[max(0, len(b)-2000):]
}
