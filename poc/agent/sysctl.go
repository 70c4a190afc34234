package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// applySysctls sets what the kernel's command line asks for as sysctl.NAME=VALUE.
// Kernels since 5.8 do that themselves; older ones leave it to PID 1.
func applySysctls(cmdline string) (notes []string) {
	for _, word := range strings.Fields(cmdline) {
		i := strings.IndexByte(word, '=')
		if !strings.HasPrefix(word, "sysctl.") || i < 0 {
			continue
		}
		name := strings.TrimPrefix(word[:i], "sysctl.")
		path := filepath.Join("/proc/sys", filepath.Clean("/"+strings.Replace(name, ".", "/", -1)))
		if err := os.WriteFile(path, []byte(word[i+1:]), 0); err != nil {
			notes = append(notes, fmt.Sprintf("set sysctl %s: %v", name, err))
		}
	}
	return notes
}
