package page

import (
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

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

// both says the same in both languages.
func both(in func(language.Language) string) text {
	return text{in(language.English), in(language.Chinese)}
}

// statusWord names a status as status returns it, with the words of the script.
func statusWord(s string) text {
	return map[string]text{
		"pass": {"pass", "通过"}, "fail": {"fail", "失败"}, "known": {"fails, as known", "失败，与已知一致"}, "accepted": {"fails, as a deviation accepts", "失败，已被偏差接受"},
		"error": {"error of the tests", "测试出错"}, "not-run": {"not run", "未运行"}, "unsupported": {"does not apply", "不适用"},
	}[s]
}
