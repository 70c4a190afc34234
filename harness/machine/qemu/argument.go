package qemu

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Argument is one option of QEMU's command line, with its value. A unique option may
// be given once. A repeatable option may be given again if its value has another name.
type Argument struct {
	option string // such as "-drive"
	kind   kind
	parts  []property
	// repeatable means that QEMU takes the option more than once.
	repeatable bool
	// name is the key of the property that must differ where the option is repeated.
	name string
	// attended means that the option works only under this program: QEMU inherits a
	// socket for it, or waits for a command on that socket.
	attended bool
}

// kind says how QEMU, or the kernel behind it, splits an option's value.
type kind int

const (
	asList  kind = iota // properties, at commas
	asPath              // one file; QEMU splits some of these at commas too
	asWords             // kernel parameters, at white space
)

// property is a part of a value: "key=value", or a value whose key QEMU implies.
type property struct{ key, value string }

func (p property) String() string {
	if p.key == "" {
		return p.value
	}
	return p.key + "=" + p.value
}

// option is an option without a value.
func option(name string) Argument { return Argument{option: name} }

// unique is an option that QEMU takes once.
func unique(option string, parts ...property) Argument {
	return Argument{option: option, parts: parts}
}

// file is a unique option whose value is the path of a file.
func file(option, value string) Argument {
	return Argument{option: option, kind: asPath, parts: []property{{"", value}}}
}

// repeatable is an option that QEMU takes again if the property with the key name
// differs.
func repeatable(option, name string, parts ...property) Argument {
	return Argument{option: option, parts: parts, repeatable: true, name: name}
}

// properties splits a value that a record of package arch holds in one piece, such
// as "max,smctr=off".
func properties(text string) []property {
	if text == "" {
		return nil
	}
	var parts []property
	for part := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			key, value = "", part
		}
		parts = append(parts, property{key, value})
	}
	return parts
}

// value is the option's value as QEMU reads it.
func (a Argument) value() string {
	separator := ","
	if a.kind == asWords {
		separator = " "
	}
	var parts []string
	for _, p := range a.parts {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, separator)
}

// argv is what the argument adds to the command line.
func (a Argument) argv() []string {
	if len(a.parts) == 0 {
		return []string{a.option}
	}
	return []string{a.option, a.value()}
}

func (a Argument) String() string { return strings.Join(a.argv(), " ") }

// check refuses every value that QEMU or the kernel would read as something else.
// Commas are refused and not escaped: QEMU reads a doubled comma as one in some
// options only, and one rule for all paths is easier to remember.
func (a Argument) check() error {
	keys := map[string]property{}
	for _, p := range a.parts {
		if err := a.checkPart(p); err != nil {
			return fmt.Errorf("QEMU's option %s: %w", a.option, err)
		}
		if first, twice := keys[p.key]; twice && p.key != "" {
			return fmt.Errorf("QEMU's option %s has both %s and %s; give one of them", a.option, first, p)
		}
		keys[p.key] = p
	}
	return nil
}

func (a Argument) checkPart(p property) error {
	switch {
	case p.value == "":
		return fmt.Errorf("the value %q is empty", p.String())
	case a.kind == asWords:
		// The kernel goes by bytes, and takes the last one here for a space (lib/ctype.c).
		if strings.ContainsFunc(p.value, unicode.IsSpace) || strings.ContainsAny(p.value, "\"\x00") || strings.IndexByte(p.value, 0xa0) >= 0 {
			return fmt.Errorf("kernel parameter %q has a space or a quote, at which the kernel splits it", p.value)
		}
		return nil
	case strings.ContainsFunc(p.value, unicode.IsControl):
		return fmt.Errorf("%q has a control character; use another name", p.value)
	case strings.Contains(p.value, ","):
		return fmt.Errorf("%q has a comma, at which QEMU splits it; use a path without one", p.value)
	case a.kind == asPath:
		return nil
	case p.key == "" && strings.Contains(p.value, "="):
		return fmt.Errorf("%q has an equals sign, and QEMU would read a property", p.value)
	case strings.ContainsFunc(p.key, notInKey):
		return fmt.Errorf("%q is no name of a property", p.key)
	case p.key == "file" && isProtocol(p.value):
		return fmt.Errorf("QEMU would read %q as a protocol and not as a file; use its absolute path", p.value)
	}
	return nil
}

func notInKey(r rune) bool {
	return r != '-' && r != '_' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// isProtocol reports whether QEMU takes a drive's file for something like "nbd:host"
// (path_has_protocol in its block.c).
func isProtocol(path string) bool {
	at := strings.IndexAny(path, ":/")
	return at >= 0 && path[at] == ':'
}

// collides reports whether QEMU would refuse one of both, or ignore one.
func (a Argument) collides(b Argument) bool {
	if a.option != b.option {
		return false
	}
	return !a.repeatable || !b.repeatable || a.named() == b.named()
}

// named returns the name of a repeatable option's value, or else the whole value.
func (a Argument) named() string {
	for _, p := range a.parts {
		if p.key == a.name {
			return p.value
		}
	}
	return a.value()
}

// Arguments is a whole command line, see Config.Arguments.
type Arguments struct {
	prefix []string // the QEMU binary, behind its loader
	all    []Argument
}

// newArguments checks every argument, and each against all others.
func newArguments(prefix []string, all []Argument) (Arguments, error) {
	for i, a := range all {
		if err := a.check(); err != nil {
			return Arguments{}, err
		}
		for _, b := range all[:i] {
			if b.collides(a) {
				return Arguments{}, fmt.Errorf("the arguments %q and %q of QEMU collide; only one of them can be given", b, a)
			}
		}
	}
	return Arguments{slices.Clone(prefix), all}, nil
}

// Argv returns the words to start QEMU with, as Start wants them.
func (a Arguments) Argv() []string {
	return a.argv(func(Argument) bool { return true })
}

// ByHand returns the words with which a person can start the same machine. It leaves
// out the monitor and whatever else needs a socket that QEMU inherits.
func (a Arguments) ByHand() []string {
	return a.argv(func(a Argument) bool { return !a.attended })
}

func (a Arguments) argv(wanted func(Argument) bool) []string {
	argv := slices.Clone(a.prefix)
	for _, one := range a.all {
		if wanted(one) {
			argv = append(argv, one.argv()...)
		}
	}
	return argv
}
