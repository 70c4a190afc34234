package limit

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstUser is above the user IDs that distributions and service managers give, and
// below 65534, which is nobody's and has processes on many systems.
const firstUser = 65533

// Unused returns n user IDs without processes. Limits that count by user would count
// the processes of others.
func Unused(n int) []uint32 {
	processes, err := numbersIn("/proc")
	Must(err)
	used := map[uint32]bool{}
	for _, pid := range processes {
		for _, status := range statuses("/proc/" + pid) {
			for _, id := range users(status) {
				used[id] = true
			}
		}
	}
	var free []uint32
	for id := uint32(firstUser); len(free) < n; id-- {
		if id == 0 {
			panic("every user ID has processes")
		}
		if !used[id] {
			free = append(free, id)
		}
	}
	return free
}

// statuses returns the status of each thread of a process, or what was left of them. A
// machine has mostly processes with one thread: their folder of threads is not read.
func statuses(process string) []string {
	own := head(process + "/status")
	if strings.Contains(own, "\nThreads:\t1\n") {
		return []string{own}
	}
	threads, err := numbersIn(process + "/task")
	if err != nil {
		return nil // the process has ended
	}
	var all []string
	for _, tid := range threads {
		all = append(all, head(process+"/task/"+tid+"/status"))
	}
	return all
}

// numbersIn returns the names in a folder that begin with a digit.
func numbersIn(folder string) (names []string, err error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.Readdirnames(-1)
	for _, name := range all {
		if '0' <= name[0] && name[0] <= '9' {
			names = append(names, name)
		}
	}
	return names, err
}

// head returns the first 4 KiB of a file, or "" if it cannot be read. The users of a
// thread are in the first lines.
func head(file string) string {
	// os.ReadFile makes ten system calls for each of the many files.
	fd, err := syscall.Open(file, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer syscall.Close(fd)
	var text [4 << 10]byte
	n, err := syscall.Read(fd, text[:])
	if err != nil {
		return ""
	}
	return string(text[:n])
}

// users returns the user IDs of a thread, from its status file: the real, the
// effective, the saved one, and that of files.
func users(status string) (ids []uint32) {
	for _, line := range strings.Split(status, "\n") {
		if !strings.HasPrefix(line, "Uid:") {
			continue
		}
		for _, text := range strings.Fields(line[len("Uid:"):]) {
			if id, err := strconv.ParseUint(text, 10, 32); err == nil {
				ids = append(ids, uint32(id))
			}
		}
	}
	return ids
}
