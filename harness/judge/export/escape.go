package export

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/foreign"
)

// Text of others stands in Markdown as code alone. Nothing in code is markup, a link, the name
// of a person who is notified, or a quick action of GitLab.

// code returns text as code on one line.
func code(s string) string {
	s = foreign.Text(cut(s, maxShown))
	if s == "" {
		return "-"
	}
	fence := strings.Repeat("`", backticks(s)+1)
	if strings.Trim(s, "` ") != s {
		s = " " + s + " " // which Markdown takes off again
	}
	return fence + s + fence
}

// block returns text of several lines as a block of code.
func block(s string) string {
	s = foreign.Lines(cut(s, maxWhole))
	fence := strings.Repeat("`", max(3, backticks(s)+1))
	return fmt.Sprintf("%s\n%s\n%s\n", fence, strings.TrimRight(s, "\n"), fence)
}

// backticks returns the length of the longest row of backticks.
func backticks(s string) (longest int) {
	now := 0
	for _, r := range s {
		if now++; r != '`' {
			now = 0
		}
		longest = max(longest, now)
	}
	return longest
}

// plain returns a text of mapstack's own, in which Markdown finds no markup.
func plain(s string) string {
	var b strings.Builder
	for _, r := range foreign.Text(s) {
		if strings.ContainsRune("\\`*_{}[]<>#~$&@", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// row returns a row of a table. A bar ends a cell, in code too, unless a backslash is before it.
func row(cells ...any) string {
	var b strings.Builder
	for _, c := range cells {
		b.WriteString("| " + strings.ReplaceAll(fmt.Sprint(c), "|", `\|`) + " ")
	}
	return b.String() + "|\n"
}
