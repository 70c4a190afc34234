// Package release reads the upstream version at the head of a kernel release
// (uname -r) and orders such versions. Pure.
package release

import (
	"fmt"
	"strconv"
	"strings"
)

// maxDigits bounds each number, so that an int never overflows. No kernel has ever needed
// more digits.
const maxDigits = 6

// maxLength is the size of utsname.release without its final NUL
// (__NEW_UTS_LEN, include/uapi/linux/utsname.h).
const maxLength = 64

// Release is the upstream version that a kernel release begins with. What a vendor appends
// is left out, because it has no common order.
//
// Debian's stable kernels say 6.1.0-50-amd64 for what upstream calls 6.1.176. So Patch is
// only as true as the release.
type Release struct {
	Major, Minor, Patch int
}

// Parse reads x.y or x.y.z at the head of a kernel release such as
// "6.1.0-50-amd64", "7.2.12+deb14-amd64" or "4.19.90-23.8.v2101.ky10.x86_64".
// A missing z is 0.
func Parse(s string) (Release, error) {
	if len(s) > maxLength {
		return Release{}, fmt.Errorf("kernel release %q... is longer than the %d bytes a kernel can report", s[:maxLength], maxLength)
	}
	var n [3]int
	rest := s
	for i := range n {
		if i > 0 {
			if !strings.HasPrefix(rest, ".") {
				break
			}
			rest = rest[1:]
		}
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		if end == 0 && i == 2 {
			rest = "." + rest // "5.10.rc1": the dot begins the suffix
			break
		}
		if end == 0 || end > maxDigits {
			return Release{}, fmt.Errorf("kernel release %q does not begin with numbers like 6.1 or 6.1.0", s)
		}
		v, err := strconv.Atoi(rest[:end])
		if err != nil {
			return Release{}, fmt.Errorf("kernel release %q: %w", s, err)
		}
		n[i], rest = v, rest[end:]
		if i == 0 && !strings.HasPrefix(rest, ".") {
			return Release{}, fmt.Errorf("kernel release %q has no minor version", s)
		}
	}
	if rest != "" && !strings.ContainsRune("-+._~ ", rune(rest[0])) {
		return Release{}, fmt.Errorf("kernel release %q has %q after its version, where -, +, ., _ or ~ was expected", s, rest[:1])
	}
	return Release{Major: n[0], Minor: n[1], Patch: n[2]}, nil
}

// Less orders releases by version.
func (r Release) Less(o Release) bool {
	if r.Major != o.Major {
		return r.Major < o.Major
	}
	if r.Minor != o.Minor {
		return r.Minor < o.Minor
	}
	return r.Patch < o.Patch
}

// AtLeast reports whether r is major.minor.patch or later.
func (r Release) AtLeast(major, minor, patch int) bool {
	return !r.Less(Release{Major: major, Minor: minor, Patch: patch})
}

// Series returns the upstream series, such as "6.1".
func (r Release) Series() string {
	return strconv.Itoa(r.Major) + "." + strconv.Itoa(r.Minor)
}

// String returns the version without any suffix, such as "6.1.0".
func (r Release) String() string {
	return r.Series() + "." + strconv.Itoa(r.Patch)
}
