package explain

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/mapstack/conformance/harness/language"
)

// Finding is a section of docs/findings.md.
type Finding struct {
	Page   string // the file's path in the repository
	Anchor string
	Title  string
	text   string
}

// Names reports whether the section is about a claim.
func (f Finding) Names(claim string) bool { return strings.Contains(f.text, claim) }

var (
	heading = regexp.MustCompile(`^#{2,3} (.+)$`)
	anchor  = regexp.MustCompile(`^<a id="([^"]+)"></a>$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]+`)
)

// Findings reads the sections of the page of findings. pages is the folder docs.
func Findings(pages fs.FS, l language.Language) (all []Finding, err error) {
	name := l.Pick("findings.md", "findings.zh-CN.md")
	text, err := fs.ReadFile(pages, name)
	if err != nil {
		return nil, fmt.Errorf("read the findings: %w", err)
	}
	given := "" // the anchor above a heading
	for _, line := range strings.Split(string(text), "\n") {
		if m := anchor.FindStringSubmatch(line); m != nil {
			given = m[1]
			continue
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			if given == "" {
				given = slug(m[1])
			}
			all = append(all, Finding{Page: "docs/" + name, Anchor: given, Title: m[1]})
			given = ""
			continue
		}
		if len(all) > 0 {
			all[len(all)-1].text += line + "\n"
		}
	}
	return all, nil
}

// slug returns the anchor that Markdown gives a heading.
func slug(title string) string {
	return strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}
