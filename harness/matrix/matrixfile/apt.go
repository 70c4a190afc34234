package matrixfile

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
)

// The names of an apt repository become parts of URLs. Vendors use capitals and slashes, which
// Debian does not.
var (
	aptName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+~_-]{0,63}$`)
	aptPackage = regexp.MustCompile(`^[a-z0-9*?\[][a-z0-9+.*?\[\]^-]{0,127}$`)
)

// checkApt notes what is wrong with an apt repository.
func (r *resolver) checkApt(e Entry) {
	has := func(name string) bool { return e.at[name] > 0 }
	bad := func(name, format string, args ...any) { r.bad(e.at[name], format, args...) }
	flat := strings.HasSuffix(e.Suite, "/")
	if !aptFolder(e.Suite) {
		bad("suite", "suite %s must be like bookworm or v10/sp1; or, for a repository without dists, the folder with a slash at its end, such as ./", foreign.Text(e.Suite))
	}
	switch {
	case flat && has("components"):
		bad("components", "components are not for a suite with a slash at its end, which has none; remove them")
	case !flat && len(e.Components) == 0:
		bad("suite", "suite needs components, such as main")
	}
	for _, c := range e.Components {
		if strings.HasSuffix(c, "/") || !aptFolder(c) {
			bad("components", "component %s must be like main", foreign.Text(c))
		}
	}
	if _, err := path.Match(e.Package, ""); err != nil || !aptPackage.MatchString(e.Package) {
		at := "package"
		if !has(at) {
			at = "repository"
		}
		bad(at, "an apt repository needs package, the name of a kernel package or a glob, such as linux-image-*-generic")
	}
	if !has("keyring") && !has("sha256") {
		bad("repository", "repository needs keyring, the keys that may sign it; or sha256 of the package, if nobody signs the repository")
	}
	if has("sha256") && !hash.MatchString(e.SHA256) {
		bad("sha256", "sha256 must be the hash of the package, 64 of 0-9 and a-f; sha256sum prints it")
	}
	if !has("arch") {
		bad("repository", "repository needs arch, because it has kernels of several architectures")
	}
}

// aptFolder reports whether a text can be the name of a suite or a component: a path without
// a way out, with or without a slash at its end.
func aptFolder(name string) bool {
	if name == "./" || name == "/" {
		return true
	}
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/"), "/")
	return len(name) <= 200 && !slices.ContainsFunc(parts, func(part string) bool { return !aptName.MatchString(part) })
}
