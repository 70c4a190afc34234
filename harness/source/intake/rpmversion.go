package intake

import "strings"

// CompareVersions compares two versions, or two releases, in the order of
// rpm-version(7): by runs of digits and runs of letters. A number is newer than
// letters, "~" is older than the end, and "^" is newer than the end. The result is
// negative if a is older.
func CompareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeftFunc(a, separates), strings.TrimLeftFunc(b, separates)
		x, y := segment(a), segment(b)
		if c := compareSegments(a[:x], b[:y]); c != 0 || x == 0 && y == 0 {
			return c
		}
		a, b = a[x:], b[y:]
	}
}

func compareSegments(a, b string) int {
	if rank(a) != rank(b) {
		return rank(a) - rank(b)
	}
	if rank(a) == rankNumber {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			return len(a) - len(b)
		}
	}
	return strings.Compare(a, b)
}

// Ranks of segments, the oldest first.
const (
	rankTilde = iota
	rankEnd
	rankCaret
	rankLetters
	rankNumber
)

func rank(segment string) int {
	switch {
	case segment == "":
		return rankEnd
	case segment[0] == '~':
		return rankTilde
	case segment[0] == '^':
		return rankCaret
	case isDigit(rune(segment[0])):
		return rankNumber
	}
	return rankLetters
}

// segment returns the length of the first segment of s.
func segment(s string) int {
	if s == "" || s[0] == '~' || s[0] == '^' {
		return min(len(s), 1)
	}
	same := isLetter
	if isDigit(rune(s[0])) {
		same = isDigit
	}
	if end := strings.IndexFunc(s, func(r rune) bool { return !same(r) }); end >= 0 {
		return end
	}
	return len(s)
}

func separates(r rune) bool { return !isDigit(r) && !isLetter(r) && r != '~' && r != '^' }
func isDigit(r rune) bool   { return '0' <= r && r <= '9' }
func isLetter(r rune) bool  { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
