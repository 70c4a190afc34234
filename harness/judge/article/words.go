package article

import (
	"fmt"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// In says an answer in a language.
func (a Answer) In(l language.Language) string {
	switch a {
	case Wrong:
		return l.Pick("the statement is wrong", "该陈述错误")
	case Right:
		return l.Pick("the statement is right", "该陈述正确")
	case ByReading:
		return l.Pick("decided by a source", "由源码判定")
	}
	return l.Pick("not decided", "未判定")
}

// Counted counts outcomes by what they say.
func Counted(outcomes []verdict.Outcome, l language.Language) string {
	c := verdict.Count(outcomes)
	return fmt.Sprintf(l.Pick("%d hold, %d fail, %d do not apply, %d were not decided", "%d 条成立，%d 条失败，%d 条不适用，%d 条未判定"), c.Pass, c.Fail, c.Unsupported, c.Error+c.NotRun)
}

// Counts says how many statements have which answer.
func Counts(all []Statement, l language.Language) string {
	counts := map[Answer]int{}
	for _, s := range all {
		counts[s.Answer(s.Decides)]++
	}
	return fmt.Sprintf(l.Pick("%d statements: %d wrong, %d right, %d not decided by this run, %d decided by reading.", "%d 条陈述：%d 条错误，%d 条正确，%d 条本次运行未判定，%d 条由阅读源码判定。"),
		len(all), counts[Wrong], counts[Right], counts[Not], counts[ByReading])
}

// Who says which kernels an answer is about.
func (s Statement) Who(arch string, l language.Language) string {
	switch {
	case s.Real:
		return fmt.Sprintf(l.Pick("On %s", "在 %s 上"), arch)
	case s.Twin:
		return fmt.Sprintf(l.Pick("On the twin of %s, since none of its kernels decided it", "在 %s 的孪生内核上（没有它的内核判定过）"), arch)
	}
	return fmt.Sprintf(l.Pick("Neither a kernel of %s nor its twin decided it", "%s 的内核及其孪生内核都没有判定"), arch)
}
