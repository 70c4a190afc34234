package census

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

// reader reads the files of one thread.
type reader struct {
	root     fs.FS
	pid, tid int
	unknown  map[string]string // why something could not be read, by JSON name
}

// note keeps why something could not be read; nil is no reason.
func (r reader) note(key string, err error) {
	if err != nil {
		r.unknown[key] = err.Error()
	}
}

// inThread returns the name of a file of the thread.
func (r reader) inThread(file string) string {
	return fmt.Sprintf("proc/%d/task/%d/%s", r.pid, r.tid, file)
}

// inProcess returns the name of a file of the thread's process.
func (r reader) inProcess(file string) string { return fmt.Sprintf("proc/%d/%s", r.pid, file) }

// sysctl reads a number below /proc/sys.
func (r reader) sysctl(name, key string) Amount {
	a, err := number(r.root, "proc/sys/"+name)
	r.note(key, err)
	return a
}

// maxFile bounds how much of one file is read, bytes. /proc/PID/maps is the
// longest: a program may have 65530 mappings, and files have long names.
const maxFile = 64 << 20

// lines calls f with each line of a file until f reports that it is done. It
// fails on a line of more than 64 KiB (bufio.MaxScanTokenSize): no file that is
// read here has one.
func lines(root fs.FS, name string, f func(line string) (done bool)) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	s := bufio.NewScanner(io.LimitReader(file, maxFile))
	for s.Scan() {
		if f(s.Text()) {
			return nil
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// first returns the first line of a file.
func first(root fs.FS, name string) (text string, err error) {
	err = lines(root, name, func(line string) bool { text = line; return true })
	return strings.TrimSpace(text), err
}

// number reads a file that holds one number, or "max" for no limit.
func number(root fs.FS, name string) (Amount, error) {
	text, err := first(root, name)
	if err != nil {
		return Amount{}, err
	}
	return amount(text)
}

// amount reads a number, or one of the words for no limit.
func amount(text string) (Amount, error) {
	if text == "max" || text == "unlimited" {
		return Amount{State: Unlimited}, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return Amount{}, fmt.Errorf("%q is no number", clip(text))
	}
	return Known(n), nil
}

// keyed reads a line "key value" of a file. The value stays unread where there is
// no such line.
func keyed(root fs.FS, name, key string) (Amount, error) {
	var found Amount
	var bad error
	err := lines(root, name, func(line string) bool {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != key {
			return false
		}
		found, bad = amount(f[1])
		return true
	})
	return found, errors.Join(err, bad)
}

// clip keeps an error message short.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
