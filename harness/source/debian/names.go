package debian

import "regexp"

// The names that become a part of a path or a URL. The lengths are this project's
// bounds; the characters of packages are those of Debian policy 5.6.1.
var (
	suiteName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)
	archName    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`) // sw_64 has an underscore
	packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]{1,127}$`)
)

// ValidSuite reports whether name can be the name of a suite, such as "bookworm".
func ValidSuite(name string) bool { return suiteName.MatchString(name) }

// ValidArch reports whether name can be Debian's name of an architecture.
func ValidArch(name string) bool { return archName.MatchString(name) }

// ValidPackage reports whether name can be the name of a package.
func ValidPackage(name string) bool { return packageName.MatchString(name) }
