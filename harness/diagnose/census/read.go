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

// maxFile bounds what is read of one file, bytes. /proc/PID/maps is the
// longest: a program may have 65530 mappings, and files have long names.
const maxFile = 64 << 20

// lines calls f with each line of a file until f is done. A line that is longer
// than a page ends it with an error: no file that is read here has one.
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

// first is the first line of a file.
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

// keyed reads a line "key value" of a file; the value is 0 of a file that has no
// such line.
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
