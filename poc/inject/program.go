package inject

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/mapstack/conformance/poc/sys"
	"github.com/mapstack/conformance/poc/trace"
)

// standing is a thread that is stopped at a call, as a model sees it. What cannot
// be read counts as nothing, because the thread may be killed at any moment.
type standing struct {
	*tracer
	tid int
}

func (s standing) proc(file string) string { return fmt.Sprintf("/proc/%d/%s", s.tid, file) }

func (s standing) UID() uint32 {
	// The IDs are real, effective, saved and file system. An unknown one counts as
	// root, as most probes are.
	return uint32(field(s.proc("status"), "Uid:", 1))
}

func (s standing) Word(addr uint64) uint64 {
	word, err := trace.Peek(s.tid, addr)
	if err != nil {
		return 0
	}
	return word
}

func (s standing) Store(addr, value uint64) { _ = trace.Poke(s.tid, addr, value) }

func (s standing) Text(addr, n uint64) string {
	const most = 4096 // one page, more than the text of any limit
	if n > most {
		n = most
	}
	text := make([]byte, n)
	got, err := syscall.PtracePeekData(s.tid, uintptr(addr), text)
	if err != nil {
		return ""
	}
	return string(text[:got])
}

func (s standing) SetText(addr uint64, text string) {
	if text != "" {
		_, _ = syscall.PtracePokeData(s.tid, uintptr(addr), []byte(text))
	}
}

func (s standing) OnStack(addr uint64) bool { return s.onStack(addr) }

func (s standing) Path(fd uint64) string {
	path, err := os.Readlink(s.proc("fd/" + strconv.FormatUint(fd, 10)))
	if err != nil {
		return ""
	}
	return path
}

func (s standing) prlimit(resource uint64, set, get *sys.Rlimit) error {
	_, _, errno := syscall.RawSyscall6(uintptr(s.kernel.Syscall.Prlimit64), uintptr(s.tid), uintptr(resource),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func (s standing) SoftLimit(resource uint64) uint64 {
	var l sys.Rlimit
	if s.prlimit(resource, nil, &l) != nil {
		return ^uint64(0)
	}
	return l.Current
}

func (s standing) SetSoftLimit(resource, value uint64) {
	var l sys.Rlimit
	if s.prlimit(resource, nil, &l) != nil {
		return
	}
	l.Current = value
	if l.Max < value {
		l.Max = value
	}
	_ = s.prlimit(resource, &l, nil)
}

func (s standing) Dead() (n int) {
	// Each thread has its own list of the children that it made.
	lists, err := filepath.Glob(s.proc("task/*/children"))
	if err != nil {
		return 0
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for _, child := range strings.Fields(string(children)) {
			// The line is "1 (name) Z 0 ..."; the name may contain anything.
			stat, err := os.ReadFile("/proc/" + child + "/stat")
			if err == nil && bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" Z")) {
				n++
			}
		}
	}
	return n
}

func (s standing) InUserNamespace() bool {
	first, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return false
	}
	its, err := os.Readlink(s.proc("ns/user"))
	return err == nil && its != first
}

// process returns the ID of the thread's process.
func (s standing) process() int { return field(s.proc("status"), "Tgid:", 0) }

func (s standing) Notes() map[string]uint64 {
	id := s.process()
	if s.notes[id] == nil {
		s.notes[id] = map[string]uint64{}
	}
	return s.notes[id]
}

func (s standing) File(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (s standing) Put(path, text string) { _ = os.WriteFile(path, []byte(text), 0) }

// field returns a number from a line of a file in /proc, by its place after the
// key. It returns 0 if there is none.
func field(path, key string, place int) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > place+1 && f[0] == key {
			n, err := strconv.ParseUint(f[place+1], 10, 32)
			if err != nil {
				return 0
			}
			return int(n)
		}
	}
	return 0
}
