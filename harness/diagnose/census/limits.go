package census

import (
	"errors"
	"strings"
)

// limit reads one line of /proc/PID/limits. The file has names; the numbers of
// the limits differ between architectures.
func (r reader) limit(name, key string) (l Limit) {
	err := lines(r.root, r.inProcess("limits"), func(line string) bool {
		rest, found := strings.CutPrefix(line, name+" ")
		f := strings.Fields(rest)
		if !found || len(f) < 2 {
			return false
		}
		var soft, hard error
		l.Soft, soft = amount(f[0])
		l.Hard, hard = amount(f[1])
		r.note(key, errors.Join(soft, hard))
		return true
	})
	r.note(key, err)
	return l
}
