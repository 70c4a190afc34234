package claim

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/format"
	"github.com/onsi/gomega/matchers"
	"github.com/onsi/gomega/types"
)

// expectations counts what a check expects, and keeps the last of it. A check that expects
// nothing must not pass.
type expectations struct {
	gomega.Gomega
	made int
	last expectation
}

// expectation is one comparison of what was observed with what was expected.
type expectation struct {
	actual  any
	matcher types.GomegaMatcher
	negated bool
	about   []any // a format and its arguments, or a function, as Gomega has it
}

func (e *expectations) Expect(actual any, extra ...any) gomega.Assertion {
	return assertion{e.Gomega.Expect(actual, extra...), actual, e}
}

func (e *expectations) Ω(actual any, extra ...any) gomega.Assertion {
	return e.Expect(actual, extra...)
}

func (e *expectations) ExpectWithOffset(_ int, actual any, extra ...any) gomega.Assertion {
	return e.Expect(actual, extra...)
}

// assertion tells the expectations what it is asked.
type assertion struct {
	gomega.Assertion
	actual any
	of     *expectations
}

func (a assertion) note(m types.GomegaMatcher, negated bool, about []any) {
	a.of.made++
	a.of.last = expectation{a.actual, m, negated, about}
}

func (a assertion) To(m types.GomegaMatcher, about ...any) bool {
	a.note(m, false, about)
	return a.Assertion.To(m, about...)
}

func (a assertion) NotTo(m types.GomegaMatcher, about ...any) bool {
	a.note(m, true, about)
	return a.Assertion.NotTo(m, about...)
}

func (a assertion) Should(m types.GomegaMatcher, about ...any) bool    { return a.To(m, about...) }
func (a assertion) ShouldNot(m types.GomegaMatcher, about ...any) bool { return a.NotTo(m, about...) }
func (a assertion) ToNot(m types.GomegaMatcher, about ...any) bool     { return a.NotTo(m, about...) }

// subject returns what the expectation is about; "" if the check does not say.
func (e expectation) subject() string {
	if len(e.about) == 0 {
		return ""
	}
	switch first := e.about[0].(type) {
	case func() string:
		return first()
	case string:
		return fmt.Sprintf(first, e.about[1:]...)
	}
	return ""
}

// observed returns the value that was there, on one line.
func (e expectation) observed() string { return plain(e.actual) }

// expected returns what was asked of the value, on one line: the value itself, or what the
// matcher says.
func (e expectation) expected() string { return asked(e.matcher, e.actual, e.negated) }

func asked(matcher types.GomegaMatcher, actual any, negated bool) string {
	switch m := matcher.(type) {
	case *matchers.EqualMatcher:
		if negated {
			return "not " + plain(m.Expected)
		}
		return plain(m.Expected)
	case *matchers.HaveOccurredMatcher: // it has no words for a nil error
		if negated {
			return "no error"
		}
		return "an error"
	case *matchers.AndMatcher: // it has words for the one that does not hold alone
		var all []string
		for _, one := range m.Matchers {
			all = append(all, asked(one, actual, negated))
		}
		return strings.Join(all, " and ")
	}
	say := matcher.FailureMessage
	if negated {
		say = matcher.NegatedFailureMessage
	}
	said := strings.TrimPrefix(say(actual), "Expected\n"+format.Object(actual, 1)+"\n")
	return strings.TrimPrefix(flat(typed.ReplaceAllString(said, " ")), "to be ")
}

// typed is how Gomega begins a value: with its type, on a line of its own.
var typed = regexp.MustCompile(`(?m)^ +<[^>\n]*>: `)

// plain returns a value as a reader would write it. The empty text is shown by its quotes.
func plain(v any) string {
	switch text := fmt.Sprint(v); {
	case v == nil:
		return "none"
	case text == "":
		return `""`
	default:
		return flat(text)
	}
}

// maxLine is the longest text of an expectation that a report keeps, in bytes. The evidence
// has all of it.
const maxLine = 500

// flat puts text on one line.
func flat(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + "..."
	}
	return s
}
