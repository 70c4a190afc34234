// Package docs_test checks that the pages for readers agree with the repository:
// links lead somewhere, both languages have the same pages, and the commands exist.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// generated are the pages that a program writes from the claims. Links to them are
// right before the first generation too.
var generated = []string{"docs/claims.md", "docs/claims.zh-CN.md"}

// chinese ends the name of a page's Chinese edition.
const chinese = ".zh-CN.md"

var root = os.DirFS("..")

// pages returns the text of every page, by its path in the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, glob := range []string{"README*.md", "docs/*.md"} {
		names, err := fs.Glob(root, glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			all[name] = read(t, name)
		}
	}
	if len(all) < 4 {
		t.Fatalf("%d pages were found, so nothing is checked", len(all))
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edition returns the name of the same page in the other language.
func edition(name string) string {
	if base, ok := strings.CutSuffix(name, chinese); ok {
		return base + ".md"
	}
	return strings.TrimSuffix(name, ".md") + chinese
}

var (
	codeSpan = regexp.MustCompile("`[^`]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// prose returns the lines of a page without code.
func prose(text string) []string {
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "    ") {
			lines = append(lines, codeSpan.ReplaceAllString(line, "``"))
		}
	}
	return lines
}

// links returns where the links of a page lead.
func links(text string) []string {
	var all []string
	for _, m := range link.FindAllStringSubmatch(strings.Join(prose(text), "\n"), -1) {
		all = append(all, m[1])
	}
	return all
}

// headings returns the headings of a page as they are written: "## Run it".
func headings(text string) []string {
	var all []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// given is a name that a page gives to the heading below it.
var given = regexp.MustCompile(`(?m)^<a id="([\w-]+)"></a>$`)

// anchors returns the names that GitHub gives to the headings of a page, and those that
// the page gives itself.
func anchors(text string) []string {
	var all []string
	for _, m := range given.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	taken := map[string]int{}
	for _, h := range headings(text) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(strings.TrimLeft(h, "#")))
		n := taken[name]
		taken[name]++
		if n > 0 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		all = append(all, name)
	}
	return all
}

func TestNoLinkIsDead(t *testing.T) {
	for name, text := range pages(t) {
		for _, to := range links(text) {
			if strings.Contains(to, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(to, "#")
			at := name
			if file != "" {
				at = path.Join(path.Dir(name), file)
			}
			if _, err := fs.Stat(root, at); err != nil {
				if !slices.Contains(generated, at) {
					t.Errorf("%s links to %s: %v", name, to, err)
				}
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, at)), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading; it has %s", name, to, at, strings.Join(anchors(read(t, at)), ", "))
			}
		}
	}
}

func TestBothLanguagesHaveTheSamePagesAndSections(t *testing.T) {
	all := pages(t)
	for name, text := range all {
		other, ok := all[edition(name)]
		if !ok {
			t.Errorf("%s exists, and %s does not", name, edition(name))
			continue
		}
		if slices.Contains(generated, name) {
			continue
		}
		if here, there := outline(text), outline(other); !slices.Equal(here, there) {
			t.Errorf("%s has the sections %v, and %s has %v", name, here, edition(name), there)
		}
	}
}

// outline returns the levels of a page's headings.
func outline(text string) []string {
	var levels []string
	for _, h := range headings(text) {
		level, _, _ := strings.Cut(h, " ")
		levels = append(levels, level)
	}
	return levels
}

// TestAReaderStaysInOneLanguage fails if a page links to an edition in the other
// language, except to its own.
func TestAReaderStaysInOneLanguage(t *testing.T) {
	all := pages(t)
	for name, text := range all {
		switched := false
		for _, to := range links(text) {
			file, _, _ := strings.Cut(to, "#")
			at := path.Join(path.Dir(name), file)
			if at == edition(name) {
				switched = true
				continue
			}
			_, both := all[edition(at)]
			if both && strings.HasSuffix(at, chinese) != strings.HasSuffix(name, chinese) && file != "" {
				t.Errorf("%s links to %s; it should link to %s", name, at, edition(at))
			}
		}
		if !switched && !slices.Contains(generated, name) {
			t.Errorf("%s has no link to %s", name, edition(name))
		}
	}
}

// commands returns the command lines of a page: the lines of its blocks of code
// and its spans of code, without comments.
func commands(text string) []string {
	var all []string
	for _, line := range strings.Split(text, "\n") {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			code, _, _ = strings.Cut(code, " #")
			all = append(all, strings.TrimPrefix(strings.TrimSpace(code), "$ "))
			continue
		}
		for _, span := range codeSpan.FindAllString(line, -1) {
			all = append(all, strings.Trim(span, "`"))
		}
	}
	return all
}

var (
	makeTarget   = regexp.MustCompile(`(?m)^([^\t#:=\n]+):(?:[^=]|$)`)
	makeVariable = regexp.MustCompile(`(?m)^([A-Z_]+) \?=`)
	assignment   = regexp.MustCompile(`^([A-Z_]+)=`)
)

func TestEveryMakeCommandExists(t *testing.T) {
	makefile := read(t, "Makefile")
	known := map[string]bool{}
	for _, m := range makeTarget.FindAllStringSubmatch(makefile, -1) {
		for _, target := range strings.Fields(m[1]) {
			known[target] = true
		}
	}
	for _, m := range makeVariable.FindAllStringSubmatch(makefile, -1) {
		known[m[1]+"="] = true
	}
	seen := 0
	for name, text := range pages(t) {
		for _, command := range commands(text) {
			words, ok := strings.CutPrefix(command, "make ")
			if !ok {
				continue
			}
			seen++
			words, _, _ = strings.Cut(words, " > ") // the rest is for the shell
			for _, word := range strings.Fields(words) {
				if m := assignment.FindString(word); m != "" {
					word = m
				}
				if !known[word] {
					t.Errorf("%s says `%s`, and the Makefile has no %s", name, command, word)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no page has a make command, so nothing was checked")
	}
}

var (
	cobraFlag    = regexp.MustCompile(`\.(?:String|StringArray|StringSlice|Bool|Int)?(?:Var)?P?\((?:&[\w.]+, |\(\*words\)\([&\w.]+\), )?"([a-z][a-z0-9-]*)"`)
	cobraCommand = regexp.MustCompile(`Use:\s+"([a-z][a-z0-9-]*)`)
	flag         = regexp.MustCompile(`(?:^|[ \[])--([a-z][a-z0-9-]*)`)
	// others are commands of other programs, up to where one of mapstack begins.
	others  = regexp.MustCompile(`\b(?:docker|podman|kubectl|unshare|systemctl)\b.*?( diagnose |$)`)
	program = regexp.MustCompile(`(?:bin/mapstack|dist/mapstack-\S+|\./mapstack-bundle|^mapstack) +([a-z][a-z0-9-]*)`)
)

// programKnows returns the commands and the flags that the sources of the program declare.
func programKnows(t *testing.T) map[string]bool {
	t.Helper()
	sources, err := fs.Glob(root, folder+"/*.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"help": true, "--help": true, "completion": true, "--version": true} // cobra's own
	for _, source := range sources {
		text := read(t, source)
		for _, m := range cobraCommand.FindAllStringSubmatch(text, -1) {
			known[m[1]] = true
		}
		for _, m := range cobraFlag.FindAllStringSubmatch(text, -1) {
			known["--"+m[1]] = true
		}
	}
	return known
}

// folder has the sources of the program.
const folder = "harness/cmd/mapstack"

func TestEveryCommandAndFlagOfTheProgramExists(t *testing.T) {
	known := programKnows(t)
	seen := 0
	for name, text := range pages(t) {
		for _, command := range commands(text) {
			command = others.ReplaceAllString(command, "$1")
			var words []string
			for _, m := range flag.FindAllStringSubmatch(command, -1) {
				words = append(words, "--"+m[1])
			}
			for _, m := range program.FindAllStringSubmatch(command, -1) {
				words = append(words, m[1])
			}
			seen += len(words)
			for _, word := range words {
				if !known[word] {
					t.Errorf("%s says `%s`, and %s declares no %s", name, command, folder, word)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no page has a command of the program, so nothing was checked")
	}
}

// called is a call of the program in a pipeline, up to what the shell does with it. In an image
// of containers the program is the entry point, and the arguments are a list.
var called = regexp.MustCompile(`(?:\./mapstack|args: \[) ?([a-z][^|;'>\]\n]*)`)

// TestPipelinesCallWhatTheProgramHas fails if a pipeline calls a command or a flag that is gone.
func TestPipelinesCallWhatTheProgramHas(t *testing.T) {
	known := programKnows(t)
	for _, file := range []string{"github.yml", "gitlab.yml", "Jenkinsfile", "kubernetes.yaml", "lava.yaml", "compass-ci/tests/mapstack"} {
		calls := called.FindAllStringSubmatch(read(t, "ci/"+file), -1)
		if len(calls) == 0 {
			t.Errorf("ci/%s has no call of mapstack, so that nothing was checked", file)
		}
		for _, call := range calls {
			words := strings.FieldsFunc(call[1], func(r rune) bool { return r == ' ' || r == ',' })
			for i, word := range words {
				if (i == 0 || strings.HasPrefix(word, "--")) && !known[word] {
					t.Errorf("ci/%s calls mapstack %s, and %s declares no %s", file, call[1], folder, word)
				}
			}
		}
	}
}
