package limit

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// firstUser is above the user IDs that distributions and service managers give, and
// below 65534, which is nobody's and has processes on many systems.
const firstUser = 65533

// Unused returns n user IDs without processes. Limits that count by user would count
// the processes of others.
func Unused(n int) []uint32 {
	files, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/status")
	Must(err)
	used := map[uint32]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, id := range users(string(b)) {
			used[id] = true
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
