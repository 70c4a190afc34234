package page

import "github.com/mapstack/conformance/harness/judge/verdict"

// text is a word in both languages, for the template.
type text struct{ English, Chinese string }

// word names a verdict, and says if it is as known.
func word(v verdict.Verdict, known bool) text {
	t := map[verdict.Verdict]text{
		verdict.Conformant: {"conformant", "符合"}, verdict.NonConformant: {"non-conformant", "不符合"}, verdict.Incomplete: {"incomplete", "不完整"},
	}[v]
	if known {
		t.English, t.Chinese = t.English+", as known", t.Chinese+"，与已知一致"
	}
	return t
}
