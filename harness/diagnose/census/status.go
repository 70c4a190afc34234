package census

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// status is what /proc/PID/task/TID/status says of a thread.
type status struct {
	user  uint32 // the real user
	lines map[string]string
}

// status reads the file once, because a thread may end between two reads.
func (r reader) status() (status, error) {
	s := status{lines: map[string]string{}}
	err := lines(r.root, r.inThread("status"), func(line string) bool {
		key, rest, _ := strings.Cut(line, ":")
		if rest = strings.TrimSpace(rest); rest != "" {
			s.lines[key] = rest
		}
		return false
	})
	if err != nil {
		return s, err
	}
	uid, there := s.word("Uid")
	if !there {
		return s, errors.New("its status names no user")
	}
	n, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return s, fmt.Errorf("the user %q is no number", clip(uid))
	}
	s.user = uint32(n)
	return s, nil
}

// word returns the first word of a line. Old kernels lack some lines.
func (s status) word(line string) (text string, there bool) {
	f := strings.Fields(s.lines[line])
	if len(f) == 0 {
		return "", false
	}
	return f[0], true
}

// inStatus reads the number of a line; it stays unread where there is no such line.
func (r reader) inStatus(s status, line, key string) Amount {
	text, there := s.word(line)
	if !there {
		return Amount{}
	}
	a, err := amount(text)
	r.note(key, err)
	return a
}
