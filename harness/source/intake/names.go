package intake

import (
	"path"
	"strings"
)

// kernelAt reports whether a path, in a package or below the root, is that of a
// kernel.
func kernelAt(name string) bool {
	base := path.Base(name)
	for _, aside := range []string{".hmac", ".bak", ".old", "~", ".rpmsave", ".rpmnew", ".dpkg-old", ".dpkg-new", ".sig"} {
		if strings.HasSuffix(base, aside) {
			return false
		}
	}
	if strings.Contains(base, "rescue") {
		return false
	}
	switch dir := path.Dir(name); {
	case dir == "boot":
		return strings.HasPrefix(base, "vmlinuz") || strings.HasPrefix(base, "vmlinux") || strings.HasPrefix(base, "Image")
	case modules(dir):
		return base == "vmlinuz" || base == "vmlinux" || base == "Image"
	}
	return false
}

func configAt(name string) bool {
	return path.Dir(name) == "boot" && strings.HasPrefix(path.Base(name), "config-") || modules(path.Dir(name)) && path.Base(name) == "config"
}

// modules reports whether a folder holds the modules of one kernel.
func modules(dir string) bool {
	parent := path.Dir(dir)
	return parent == "lib/modules" || parent == "usr/lib/modules"
}

// newest returns the name with the highest version, or "".
func newest(names []string) string {
	best := ""
	for _, n := range names {
		if best == "" || before(best, n) {
			best = n
		}
	}
	return best
}

// before reports whether a has a lower version than b. Runs of digits are compared
// as numbers.
func before(a, b string) bool {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x == 0 || y == 0 {
			if a[0] != b[0] {
				return a[0] < b[0]
			}
			a, b = a[1:], b[1:]
			continue
		}
		m, n := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
		if m != n {
			return len(m) < len(n) || len(m) == len(n) && m < n
		}
		a, b = a[x:], b[y:]
	}
	return len(a) < len(b)
}

// digits returns how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
