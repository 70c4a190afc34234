package certificate

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mapstack/conformance/harness/language"
)

const goodVendor = `organisation: 示例软件有限公司
product: Example Linux <Server>
version: 22.10
contact:
  - kernel@example.org
  - https://example.org/contact
links:
  website: https://example.org
  repository: https://example.org/kernel
`

func TestAVendorsFileIsReadAsItIsWritten(t *testing.T) {
	got, err := ParseVendor("vendor.yaml", []byte(goodVendor))
	want := Vendor{"示例软件有限公司", "Example Linux <Server>", "22.10", []string{"kernel@example.org", "https://example.org/contact"},
		Links{Website: "https://example.org", Repository: "https://example.org/kernel"}}
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

// TestEverythingThatIsWrongIsSaidAtOnce fails if a vendor has to mend a file problem by problem.
func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := ParseVendor("vendor.yaml", []byte(`product: ""
logo: https://example.org/logo.svg
version: {major: 1}
contact:
  - nobody
links:
  documentation: javascript:alert(1)
  blog: https://example.org
`))
	want := `vendor.yaml:1: organisation is missing; it must be one line of at most 200 bytes, of characters that are seen
vendor.yaml:1: product must be one line of at most 200 bytes, of characters that are seen
vendor.yaml:2: logo is no field of a vendor's file
vendor.yaml:3: version must be one line of at most 200 bytes, of characters that are seen
vendor.yaml:5: contact must be a list of 1 to 10 e-mail addresses or URLs, each on a line with a dash
vendor.yaml:7: links.website is missing; it must be a URL with http or https and a host
vendor.yaml:7: links.documentation must be a URL with http or https and a host
vendor.yaml:8: links.blog is no field of a vendor's file`
	if err == nil || err.Error() != want {
		t.Errorf("%s", cmp.Diff(want, err.Error()))
	}
	said := (*language.Error)(nil)
	if !errors.As(err, &said) || !strings.HasPrefix(said.Chinese, "vendor.yaml:1：缺少 organisation；必须是一行，最多 200 字节，只含可见字符\nvendor.yaml:1：product 必须是一行") ||
		strings.Count(said.Chinese, "\n") != strings.Count(want, "\n") || !strings.HasSuffix(said.Chinese, "\nvendor.yaml:8：厂商文件没有字段 links.blog") {
		t.Errorf("in Chinese:\n%+v", said)
	}
}

func TestABadVendorsFileIsRefusedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"a field twice":          {"version: 22.10", "version: 1\nversion: 2", "already defined"},
		"a list as a text":       {"version: 22.10", "version: [1]", "vendor.yaml:3: version must be one line"},
		"nothing":                {"version: 22.10", "version:", "vendor.yaml:3: version must be one line"},
		"an alias":               {"version: 22.10", "version: *v", "version"},
		"a text of lines":        {"version: 22.10", "version: \"1\\n2\"", "vendor.yaml:3: version must be one line"},
		"a text that is hidden":  {"version: 22.10", "version: \"1\\u202e2\"", "vendor.yaml:3: version must be one line"},
		"a page":                 {"version: 22.10", "version: " + strings.Repeat("1", 201), "vendor.yaml:3: version must be one line"},
		"a text as a list":       {"\n  - kernel@example.org\n  - https://example.org/contact", " a@example.org", "vendor.yaml:4: contact must be a list"},
		"an inbox with a name":   {"- kernel@example.org", "- Kernel <kernel@example.org>", "contact must be a list"},
		"a link without a host":  {"website: https://example.org", "website: https:///x", "vendor.yaml:8: links.website must be a URL"},
		"a link with a password": {"website: https://example.org", "website: https://a:b@example.org", "vendor.yaml:8: links.website must be a URL"},
		"links as a text":        {"links:\n  website: https://example.org\n  repository: https://example.org/kernel", "links: https://example.org", "vendor.yaml:7: links must be fields with a colon: website, documentation, repository"},
		"an empty file":          {goodVendor, "", "one YAML document"},
		"two documents":          {"links:", "---\nlinks:", "one YAML document"},
		"no YAML":                {"links:", "links: {", "vendor.yaml: "},
		"a large file":           {"links:", strings.Repeat("#", 64<<10) + "\nlinks:", "larger than 64 KiB"},
	} {
		text := strings.Replace(goodVendor, c.from, c.to, 1)
		if text == goodVendor {
			t.Fatalf("%s: nothing was replaced", name)
		}
		if _, err := ParseVendor("vendor.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParseVendor(f *testing.F) {
	f.Add([]byte(goodVendor))
	f.Add([]byte("links: &x {website: *x}\ncontact: [*x]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ParseVendor("f", data)
		if err == nil && !v.valid() {
			t.Errorf("%+v", v)
		}
	})
}
