package load

import (
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/limit"
)

// running counts the threads of this process that the kernel runs, or would run if a CPU were
// free. Both are in state R, so that the count does not depend on the number of CPUs.
type running struct {
	files []int // of /proc/self/task/TID/stat
	text  [512]byte
}

const ownThreads = "/proc/self/task"

func (r *running) close() {
	for _, fd := range r.files {
		syscall.Close(fd)
	}
	r.files = nil
}

// open opens the files of the threads that there are now.
func (r *running) open() {
	r.close()
	dir, err := os.Open(ownThreads)
	if err != nil {
		return // nothing is counted
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what was read is counted
	for _, name := range names {
		fd, err := syscall.Open(filepath.Join(ownThreads, name, "stat"), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			continue // it has ended
		}
		r.files = append(r.files, fd)
	}
}

// count returns how many of threads threads are in state R, with the one that counts; 0 if that
// is not known. It makes no call that the runtime sees: else the runtime would give the P of
// this goroutine to another thread while it counts.
func (r *running) count(threads int) (n int) {
	if threads != len(r.files) {
		r.open()
		return 0 // what ran was disturbed by that
	}
	for _, fd := range r.files {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_LSEEK, uintptr(fd), 0, 0); errno != 0 {
			return 0
		}
		size, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&r.text[0])), uintptr(len(r.text)))
		if errno == syscall.ESRCH {
			continue // the thread has ended
		}
		if errno != 0 || int(size) > len(r.text) {
			return 0
		}
		if stateIn(r.text[:size]) == 'R' {
			n++
		}
	}
	return n
}

// stateIn returns the state in the text of a stat file (proc(5)); 0 if it is not there. The name
// before it may have any bytes.
func stateIn(text []byte) byte {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] != ')' {
			continue
		}
		if i+2 < len(text) && text[i+1] == ' ' {
			return text[i+2]
		}
		return 0
	}
	return 0
}

// allowed returns the number of CPUs in the affinity mask of the thread that calls it; false if
// the kernel does not say. It asks the kernel, and not the runtime.
func allowed() (n int, known bool) {
	var mask [1 << 10]byte // of 8,192 CPUs
	size, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, uintptr(len(mask)), uintptr(unsafe.Pointer(&mask[0])))
	if errno != 0 || int(size) > len(mask) {
		return 0, false
	}
	for _, b := range mask[:size] {
		n += bits.OnesCount8(b)
	}
	return n, n > 0
}

// quota returns the CPUs' time that the control groups of this process give it at most, in
// thousandths of a CPU; false if they set no limit.
func quota() (least int, limited bool) {
	h, found := limit.Find("cpu")
	b, err := os.ReadFile("/proc/self/cgroup")
	if !found || err != nil {
		return 0, false
	}
	return quotaIn(string(h.Root), groupIn(string(b), "cpu", h.Version))
}

// quotaIn looks at a group below root, and at those above it.
func quotaIn(root, group string) (least int, limited bool) {
	for {
		folder := filepath.Join(root, group)
		text, _ := line(filepath.Join(folder, "cpu.max"))
		words := strings.Fields(text)
		if len(words) == 0 { // version 1
			quota, _ := line(filepath.Join(folder, "cpu.cfs_quota_us"))
			period, _ := line(filepath.Join(folder, "cpu.cfs_period_us"))
			words = []string{quota, period}
		}
		if n, set := thousandths(words); set && (!limited || n < least) {
			least, limited = n, true
		}
		if group == "/" {
			return least, limited
		}
		group = filepath.Dir(group)
	}
}

// thousandths returns the quota that a file gives as time and period; false for none.
func thousandths(words []string) (int, bool) {
	if len(words) != 2 {
		return 0, false
	}
	time, err := strconv.Atoi(words[0]) // "max", or -1 in version 1, is no limit
	if err != nil || time <= 0 || time > 1<<40 {
		return 0, false
	}
	period, err := strconv.Atoi(words[1])
	if err != nil || period <= 0 {
		return 0, false
	}
	return 1000 * time / period, true
}
