package limit

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Self is the file in which the kernel describes this process.
const Self = "/proc/self/status"

// Reserved is RESERVED_PIDS (kernel/pid.c): IDs below it are not used a second
// time.
const Reserved = 300

// Field returns the value of a "Key: value" line of a file in /proc.
func Field(path, key string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, key+":") {
			return strings.TrimSpace(line[len(key)+1:]), nil
		}
	}
	return "", fmt.Errorf("%s has no line %s", path, key)
}

// Number returns a field that is a number, perhaps followed by kB.
func Number(path, key string) (int, error) {
	text, err := Field(path, key)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSuffix(text, " kB"))
}

// MustNumber calls Number and panics if that fails.
func MustNumber(path, key string) int {
	n, err := Number(path, key)
	Must(err)
	return n
}

// Threads returns the number of threads on the machine: the number after the slash
// in /proc/loadavg, which is the kernel's nr_threads. fd must be open on that file.
// It reads into the caller's buffer, so that the kernel need not give memory.
func Threads(fd int, buf []byte) int {
	n, err := syscall.Pread(fd, buf, 0)
	Must(err)
	f := strings.Fields(string(buf[:n]))
	total, err := strconv.Atoi(f[3][strings.IndexByte(f[3], '/')+1:])
	Must(err)
	return total
}

// Mappings returns how many mappings this process has. The [vsyscall] page that
// amd64 lists does not count: it belongs to no process.
func Mappings() (n int) {
	b, err := os.ReadFile("/proc/self/maps")
	Must(err)
	for _, line := range strings.Split(string(b), "\n") {
		if line != "" && !strings.HasSuffix(line, "[vsyscall]") {
			n++
		}
	}
	return n
}
