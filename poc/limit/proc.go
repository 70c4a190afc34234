package limit

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Self is where the kernel describes this process.
const Self = "/proc/self/status"

// Reserved is RESERVED_PIDS (kernel/pid.c): smaller IDs are not used again.
const Reserved = 300

// Field reads the value of a "Key: value" line of a file in /proc.
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

// Number is a field that is a number, perhaps followed by kB.
func Number(path, key string) (int, error) {
	text, err := Field(path, key)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSuffix(text, " kB"))
}

// MustNumber is Number where there must be one.
func MustNumber(path, key string) int {
	n, err := Number(path, key)
	Must(err)
	return n
}

// Threads is how many threads the machine has: the number after the slash in
// /proc/loadavg, which is the kernel's nr_threads. It reads an open descriptor
// of that file into a buffer of the caller's, so that it takes no memory.
func Threads(fd int, buf []byte) int {
	n, err := syscall.Pread(fd, buf, 0)
	Must(err)
	f := strings.Fields(string(buf[:n]))
	total, err := strconv.Atoi(f[3][strings.IndexByte(f[3], '/')+1:])
	Must(err)
	return total
}

// Mappings is how many mappings this process has. The vsyscall page that amd64
// lists is nobody's mapping.
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
