package debian

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pault.ag/go/debian/control"
)

// aptSource is one entry of apt's list of archives.
type aptSource struct {
	file       string
	uris       []string
	suites     []string
	components []string
	signedBy   string
}

// maxSourcesFile is far above the size of any real list.
const maxSourcesFile = 1 << 20

// releases and pockets are the suites of Debian's own archive. Security updates are
// in another archive, which mapstack does not use.
var (
	releases = []string{
		"oldoldstable", "oldstable", "stable", "testing", "unstable", "sid", "experimental",
		"buster", "bullseye", "bookworm", "trixie", "forky", "duke",
	}
	pockets = []string{"", "-updates", "-backports", "-proposed-updates"}
)

// debianSuite reports whether a suite is one of Debian's own archive.
func debianSuite(suite string) bool {
	for _, p := range pockets {
		if r, ok := strings.CutSuffix(suite, p); ok && slices.Contains(releases, r) {
			return true
		}
	}
	return false
}

// debianArchive reports whether the entry is of Debian's own archive.
func (s aptSource) debianArchive() bool {
	if s.signedBy != "" && !strings.Contains(s.signedBy, "debian-archive") {
		return false
	}
	return slices.ContainsFunc(s.suites, debianSuite) && slices.Contains(s.components, "main")
}

// aptSources reads etc/apt/sources.list and etc/apt/sources.list.d in apt's order.
// It skips entries that are not valid; apt reports them.
func aptSources(root fs.FS) ([]aptSource, error) {
	files := []string{"etc/apt/sources.list"}
	for _, pattern := range []string{"*.list", "*.sources"} {
		more, err := fs.Glob(root, path.Join("etc/apt/sources.list.d", pattern))
		if err != nil {
			return nil, fmt.Errorf("list apt's sources: %w", err)
		}
		files = append(files, more...)
	}
	slices.Sort(files[1:])
	var all []aptSource
	for _, name := range files {
		data, err := readBounded(root, name, maxSourcesFile)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read apt's /%s: %w; correct it or set MAPSTACK_MIRROR", name, err)
		}
		parse := parseOneLine
		if path.Ext(name) == ".sources" {
			parse = parseDeb822
		}
		for _, s := range parse(data) {
			s.file = "/" + name
			all = append(all, s)
		}
	}
	return all, nil
}

// parseDeb822 reads the *.sources format, sources.list(5).
func parseDeb822(data []byte) []aptSource {
	r, err := control.NewParagraphReader(bytes.NewReader(data), nil)
	if err != nil {
		return nil
	}
	var all []aptSource
	for {
		p, err := r.Next()
		if err != nil {
			return all // the end, or a line that is no field: apt refuses the rest too
		}
		// Field names are case-insensitive, deb822(5).
		field := make(map[string]string)
		for k, v := range p.Values {
			field[strings.ToLower(k)] = v
		}
		if enabled := strings.TrimSpace(field["enabled"]); enabled != "" && aptFalse(enabled) {
			continue
		}
		if !slices.Contains(strings.Fields(field["types"]), "deb") {
			continue
		}
		all = append(all, aptSource{
			uris:       strings.Fields(field["uris"]),
			suites:     strings.Fields(field["suites"]),
			components: strings.Fields(field["components"]),
			signedBy:   strings.TrimSpace(field["signed-by"]),
		})
	}
}

// parseOneLine reads the *.list format, sources.list(5):
// deb [ option=value ... ] uri suite [component ...]
func parseOneLine(data []byte) []aptSource {
	var all []aptSource
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxSourcesFile)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' && rest[0] != '[' {
			continue
		}
		rest = strings.TrimSpace(rest)
		var s aptSource
		if strings.HasPrefix(rest, "[") {
			options, after, ok := strings.Cut(rest[1:], "]")
			if !ok {
				continue
			}
			rest = after
			for _, o := range strings.Fields(options) {
				if name, value, _ := strings.Cut(o, "="); strings.EqualFold(name, "signed-by") {
					s.signedBy = value
				}
			}
		}
		f := strings.Fields(rest)
		if len(f) < 2 {
			continue
		}
		s.uris, s.suites, s.components = f[:1], f[1:2], f[2:]
		all = append(all, s)
	}
	return all
}
