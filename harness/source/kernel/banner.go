package kernel

import (
	"bytes"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/release"
)

// maxBanner is well above the length of any linux_banner, in bytes.
const maxBanner = 512

// banner returns the "Linux version 6.1.0-50-amd64 (...) ..." line of a kernel
// (linux_banner, init/version-timestamp.c). It returns "" if the line is compressed
// or missing.
func banner(data []byte) string {
	const prefix = "Linux version "
	for {
		i := bytes.Index(data, []byte(prefix))
		if i < 0 {
			return ""
		}
		data = data[i:]
		line := data[:min(len(data), maxBanner)]
		if end := bytes.IndexAny(line, "\n\x00"); end >= 0 {
			line = line[:end]
		}
		if isText(line) && bannerRelease(string(line)) != "" {
			return string(line)
		}
		data = data[len(prefix):]
	}
}

// bannerRelease returns the release that a banner names, or "".
func bannerRelease(line string) string {
	f := strings.Fields(line)
	if len(f) < 3 {
		return ""
	}
	if _, err := release.Parse(f[2]); err != nil {
		return ""
	}
	return f[2]
}

func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
