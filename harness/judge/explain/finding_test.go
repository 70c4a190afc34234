package explain

import (
	"testing"
	"testing/fstest"

	"github.com/mapstack/conformance/harness/language"
)

func TestAFindingIsFoundByItsClaimInBothLanguages(t *testing.T) {
	pages := fstest.MapFS{
		"findings.md":       {Data: []byte("# Findings\n\n| MS-001 |\n\n## Kernels\n\n### Linux 6.1: it `fails`\n\nMS-001 fails.\n\n### Another\n\nMS-002.\n")},
		"findings.zh-CN.md": {Data: []byte("# 发现\n\n## 内核\n\n<a id=\"linux-61-it-fails\"></a>\n\n### 失败\n\nMS-001 失败。\n")},
	}
	for _, l := range []language.Language{language.English, language.Chinese} {
		all, err := Findings(pages, l)
		if err != nil {
			t.Fatal(err)
		}
		var named []string
		for _, f := range all {
			if f.Names("MS-001") {
				named = append(named, f.Anchor)
			}
		}
		if len(named) != 1 || named[0] != "linux-61-it-fails" {
			t.Errorf("%s: %q", l, named)
		}
	}
	if _, err := Findings(fstest.MapFS{}, language.English); err == nil {
		t.Error("no page, and no error")
	}
}
