package claim

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
)

// Validate reports every claim that is incomplete or not unique.
func Validate(suites []Suite) error {
	id := regexp.MustCompile(`^[A-Z]{2}-[0-9]{3}$`)
	var errs []error
	names, prefixes, ids, sentences := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, a := range suites {
		if a.Name == "" || names[a.Name] {
			errs = append(errs, fmt.Errorf("suite %q: a name must be set and unique", a.Name))
		}
		names[a.Name] = true
		if prefixes[a.Prefix] {
			errs = append(errs, fmt.Errorf("suite %s: another suite has the prefix %q too", a.Name, a.Prefix))
		}
		prefixes[a.Prefix] = true
		a.validate(func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("suite %s: %s", a.Name, fmt.Sprintf(format, args...)))
		})
		for _, c := range a.Claims {
			fault := func(format string, args ...any) {
				errs = append(errs, fmt.Errorf("claim %s of %s: %s", c.ID, a.Name, fmt.Sprintf(format, args...)))
			}
			if !id.MatchString(c.ID) {
				fault("an ID is two capital letters, a dash and three digits")
			}
			if ids[c.ID] {
				fault("the ID is used twice")
			}
			ids[c.ID] = true
			if other, twice := sentences[c.English]; twice {
				fault("says the same as %s", other)
			}
			sentences[c.English] = c.ID
			c.validate(fault)
		}
	}
	return errors.Join(errs...)
}

func (a Suite) validate(fault func(string, ...any)) {
	if !regexp.MustCompile(`^[A-Z]{2}$`).MatchString(a.Prefix) {
		fault("the prefix %q is not two capital letters", a.Prefix)
	}
	oneLine(fault, "About.English", a.About.English)
	oneLine(fault, "About.Chinese", a.About.Chinese)
	chinese(fault, "About.Chinese", a.About.Chinese)
	if len(a.Claims) == 0 {
		fault("it has no claims")
	}
}

// oneLine reports a text that is blank or longer than a line.
func oneLine(fault func(string, ...any), name, text string) {
	if strings.TrimSpace(text) == "" {
		fault("%s is empty", name)
	}
	if strings.ContainsAny(text, "\n\t") {
		fault("%s is not one line", name)
	}
}

// chinese reports a text without Chinese characters.
func chinese(fault func(string, ...any), name, text string) {
	if !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		fault("%s holds no Chinese", name)
	}
}

func (c Claim) validate(fault func(string, ...any)) {
	switch c.Level {
	case verdict.Must, verdict.Should, verdict.May:
	default:
		fault("level %q is none of MUST, SHOULD, MAY", c.Level)
	}
	oneLine(fault, "English", c.English)
	oneLine(fault, "Chinese", c.Chinese)
	chinese(fault, "Chinese", c.Chinese)
	oneLine(fault, "Source", c.Source)
	oneLine(fault, "Probe", c.Probe)
	c.validateNeeds(fault)
	if c.Check == nil {
		fault("Check is nil")
	}
}

func (c Claim) validateNeeds(fault func(string, ...any)) {
	for i, f := range c.Needs {
		if strings.TrimSpace(string(f)) == "" {
			fault("Needs names a feature without a name")
		}
		if slices.Contains(c.Needs[:i], f) {
			fault("Needs names %q twice", f)
		}
	}
	if !c.UserMode.valid() {
		fault("UserMode %q is none of the constants of package claim", c.UserMode)
	}
	if c.Uninjectable == "" {
		return
	}
	if c.Level != verdict.Must {
		fault("Uninjectable is for a MUST, and the level is %s", c.Level)
	}
	oneLine(fault, "Uninjectable", c.Uninjectable)
}

// Unreachable lists the claims that apply to none of the cells: a claim that no
// cell can decide proves nothing.
func Unreachable(suites []Suite, cells []matrix.Cell) []string {
	var ids []string
	for _, a := range suites {
		for _, c := range a.Claims {
			if !c.appliesToAny(cells) {
				ids = append(ids, c.ID)
			}
		}
	}
	return ids
}

func (c Claim) appliesToAny(cells []matrix.Cell) bool {
	for _, cell := range cells {
		table, known := abi.Lookup(cell.Arch)
		if known && c.Inapplicable(cell, table) == "" {
			return true
		}
	}
	return false
}
