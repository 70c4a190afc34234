package certificate

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix/strictyaml"
)

// Vendor is who asks for a certificate, and for which product.
type Vendor struct {
	Organisation string   `json:"organisation"`
	Product      string   `json:"product"`
	Version      string   `json:"version"`
	Contact      []string `json:"contact"` // each an e-mail address or a URL
	Links        Links    `json:"links"`
}

// Tested returns what a run that was given the file says of its systems.
func (v Vendor) Tested() *evidence.Product {
	return &evidence.Product{Organisation: v.Organisation, Name: v.Product, Version: v.Version}
}

// Contradicts returns why the file is not about what a run says it tested; nil if that is the
// same product, or none.
func (v Vendor) Contradicts(p *evidence.Product) *Refusal {
	if p == nil || *p == *v.Tested() {
		return nil
	}
	r := because("the run is of %s %s of %s, and the vendor's file names %s %s of %s; give the file that the run was given",
		"运行的对象是 %[3]s 的 %[1]s %[2]s，而厂商文件写的是 %[6]s 的 %[4]s %[5]s；请使用运行时给出的文件",
		p.Name, p.Version, p.Organisation, v.Product, v.Version, v.Organisation)
	return &r
}

// Links are URLs with http or https.
type Links struct {
	Website       string `json:"website"`
	Documentation string `json:"documentation,omitempty"`
	Repository    string `json:"repository,omitempty"`
}

// The bounds of a vendor's file.
const (
	maxVendor   = 64 << 10 // bytes
	maxText     = 200      // bytes of one value
	maxContacts = 10
)

// What the fields of a vendor's file may hold, in English and Chinese.
const (
	aName, aNameChinese       = "one line of at most 200 bytes, of characters that are seen", "一行，最多 200 字节，只含可见字符"
	aURL, aURLChinese         = "a URL with http or https and a host", "带 http 或 https 和主机的 URL"
	inboxes, inboxesChinese   = "a list of 1 to 10 e-mail addresses or URLs, each on a line with a dash", "1 到 10 个电子邮件地址或 URL 的列表，每行一个，以短横线开头"
	someURLs, someURLsChinese = "website, and if there are any documentation and repository, each with a URL", "website，以及可有可无的 documentation 和 repository，各为一个 URL"
)

// ParseVendor reads a vendor's file. Its error has a line for everything that is missing or
// wrong: the file, the line, the field, and what is allowed.
func ParseVendor(file string, data []byte) (v Vendor, err error) {
	defer func() {
		if problem := recover(); problem != nil { // the library panics on some files that are no YAML
			err = fmt.Errorf("%s: %w", file, strictyaml.Unreadable(problem))
		}
	}()
	if len(data) > maxVendor {
		return v, fmt.Errorf("%s: the file is larger than %d KiB", file, maxVendor>>10)
	}
	parsed, err := parser.ParseBytes(data, 0)
	if err != nil {
		return v, fmt.Errorf("%s: %s", file, yaml.FormatError(err, false, true))
	}
	if len(parsed.Docs) != 1 || parsed.Docs[0].Body == nil {
		return v, fmt.Errorf("%s: the file must be one YAML document with organisation, product, version, contact and links", file)
	}
	var r reader
	r.mapping(parsed.Docs[0].Body, "", []field{
		{"organisation", aName, aNameChinese, true, r.text(&v.Organisation, named)},
		{"product", aName, aNameChinese, true, r.text(&v.Product, named)},
		{"version", aName, aNameChinese, true, r.text(&v.Version, named)},
		{"contact", inboxes, inboxesChinese, true, r.list(&v.Contact, inbox)},
		{"links", someURLs, someURLsChinese, true, func(n ast.Node) bool {
			r.mapping(n, "links.", []field{
				{"website", aURL, aURLChinese, true, r.text(&v.Links.Website, web)},
				{"documentation", aURL, aURLChinese, false, r.text(&v.Links.Documentation, web)},
				{"repository", aURL, aURLChinese, false, r.text(&v.Links.Repository, web)},
			})
			return true
		}},
	})
	slices.SortStableFunc(r.problems, func(a, b problem) int { return a.line - b.line })
	if len(r.problems) == 0 {
		return v, nil
	}
	var english, chinese []string
	for _, p := range r.problems {
		english = append(english, fmt.Sprintf("%s:%d: %s", file, p.line, p.what))
		chinese = append(chinese, fmt.Sprintf("%s:%d：%s", file, p.line, p.chinese))
	}
	return v, &language.Error{English: strings.Join(english, "\n"), Chinese: strings.Join(chinese, "\n")}
}

// field is one field of a mapping. read reports whether the value is allowed.
type field struct {
	name, allowed, chinese string // what is allowed, in both languages
	needed                 bool
	read                   func(ast.Node) bool
}

// reader collects the problems of a file.
type reader struct{ problems []problem }

type problem struct {
	line          int
	what, chinese string
}

func (r *reader) bad(line int, english, chinese string) {
	r.problems = append(r.problems, problem{line, english, chinese})
}

// mapping reads the fields of a mapping. prefix begins their names in problems.
func (r *reader) mapping(n ast.Node, prefix string, fields []field) {
	line := n.GetToken().Position.Line
	m, ok := n.(ast.MapNode)
	if !ok {
		var names []string
		for _, f := range fields {
			names = append(names, f.name)
		}
		r.bad(line, strings.Replace(prefix, ".", " ", 1)+"must be fields with a colon: "+strings.Join(names, ", "),
			strings.TrimSuffix(prefix, ".")+" 必须是带冒号的字段："+strings.Join(names, "、"))
		return
	}
	values := map[string]ast.Node{}
	for at := m.MapRange(); at.Next(); {
		values[at.Key().String()] = at.Value()
	}
	for _, f := range fields {
		switch value, there := values[f.name]; {
		case !there && f.needed:
			r.bad(line, prefix+f.name+" is missing; it must be "+f.allowed, "缺少 "+prefix+f.name+"；必须是"+f.chinese)
		case there && !f.read(value):
			r.bad(value.GetToken().Position.Line, prefix+f.name+" must be "+f.allowed, prefix+f.name+" 必须是"+f.chinese)
		}
		delete(values, f.name)
	}
	for at := m.MapRange(); at.Next(); { // those that are left, in their order
		if name := at.Key().String(); values[name] != nil {
			name = prefix + foreign.Text(name)
			r.bad(at.Key().GetToken().Position.Line, name+" is no field of a vendor's file", "厂商文件没有字段 "+name)
		}
	}
}

// text returns a function that reads one value.
func (r *reader) text(into *string, allowed func(string) bool) func(ast.Node) bool {
	return func(n ast.Node) bool {
		text, ok := scalar(n)
		*into = text
		return ok && allowed(text)
	}
}

// list returns a function that reads a list of values.
func (r *reader) list(into *[]string, allowed func(string) bool) func(ast.Node) bool {
	return func(n ast.Node) bool {
		s, ok := n.(*ast.SequenceNode)
		if !ok || len(s.Values) == 0 || len(s.Values) > maxContacts {
			return false
		}
		for _, n := range s.Values {
			text, ok := scalar(n)
			if !ok || !allowed(text) {
				return false
			}
			*into = append(*into, text)
		}
		return true
	}
}

// scalar returns a value as it is written: a version such as 1.10 is no number.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func named(s string) bool {
	return s != "" && len(s) <= maxText && s == strings.TrimSpace(s) && foreign.Text(s) == s
}

func web(s string) bool {
	u, err := url.Parse(s)
	return named(s) && !strings.Contains(s, " ") && err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

func inbox(s string) bool {
	a, err := mail.ParseAddress(s)
	return web(s) || named(s) && err == nil && a.Address == s
}

// valid reports whether ParseVendor could have returned the vendor.
func (v Vendor) valid() bool {
	return named(v.Organisation) && named(v.Product) && named(v.Version) && len(v.Contact) > 0 && len(v.Contact) <= maxContacts &&
		!slices.ContainsFunc(v.Contact, func(s string) bool { return !inbox(s) }) && web(v.Links.Website) &&
		(v.Links.Documentation == "" || web(v.Links.Documentation)) && (v.Links.Repository == "" || web(v.Links.Repository))
}
