package claim

import (
	"errors"
	"fmt"
	"regexp"
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
	names, ids, sentences := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, a := range suites {
		if a.Name == "" || names[a.Name] {
			errs = append(errs, fmt.Errorf("suite %q: a name must be set and unique", a.Name))
		}
		names[a.Name] = true
		if len(a.Claims) == 0 {
			errs = append(errs, fmt.Errorf("suite %s has no claims", a.Name))
		}
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

func (c Claim) validate(fault func(string, ...any)) {
	switch c.Level {
	case verdict.Must, verdict.Should, verdict.May:
	default:
		fault("level %q is none of MUST, SHOULD, MAY", c.Level)
	}
	for _, f := range []struct{ name, value string }{
		{"English", c.English}, {"Chinese", c.Chinese}, {"Source", c.Source}, {"Probe", c.Probe},
	} {
		if strings.TrimSpace(f.value) == "" {
			fault("%s is empty", f.name)
		}
		if strings.ContainsAny(f.value, "\n\t") {
			fault("%s is not one line", f.name)
		}
	}
	if !strings.ContainsFunc(c.Chinese, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		fault("Chinese holds no Chinese")
	}
	if c.Check == nil {
		fault("Check is nil")
	}
}

// Unreachable lists the claims that apply to none of the cells: a claim that
// nothing can decide is worth nothing.
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
