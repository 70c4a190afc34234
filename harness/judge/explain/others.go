package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/defect"
)

// suite explains a suite, and reports whether there is one with the name.
func (p *page) suite(name string) bool {
	i := slices.IndexFunc(p.Suites, func(s Suite) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return false
	}
	s := p.Suites[i]
	claims := slices.DeleteFunc(slices.Clone(p.Claims), func(c Claim) bool { return c.Suite != s.Name })
	levels := map[verdict.Level]int{}
	var probes []string
	for _, c := range claims {
		levels[c.Level]++
		if c.Probe != "" && !slices.Contains(probes, c.Probe) {
			probes = append(probes, c.Probe)
		}
	}
	fmt.Fprintf(p, "%s\n%s\n%s\n\n", s.Name, s.About.English, s.About.Chinese)
	p.say("Claims:  %d MUST, %d SHOULD, %d MAY; new ones begin with %s-", "断言：  %d 条 MUST，%d 条 SHOULD，%d 条 MAY；新断言以 %s- 开头",
		levels[verdict.Must], levels[verdict.Should], levels[verdict.May], s.Prefix)
	p.say("Probes:  %s", "探针：  %s", strings.Join(probes, p.Pick(", ", "、")))
	if s.Floor > 0 {
		p.say("Floor:   %d claims must be decided on a cell, else it is incomplete", "下限：  一个单元上至少判定 %d 条，否则不完整", s.Floor)
	}
	p.say("Run:     mapstack run --focus %s", "运行：  mapstack run --focus %s", s.Name)
	p.WriteString("\n")
	for _, c := range claims {
		fmt.Fprintf(p, "%s %s  %s%s\n", c.ID, c.Level, p.Pick(c.English, c.Chinese), p.troubles(c.ID))
	}
	p.say("\nmapstack explain ID says more of one of them.", "\nmapstack explain ID 详细说明其中一条。")
	return true
}

// troubles counts the recorded cells on which a claim does not hold; "" if there are none.
func (p *page) troubles(id string) string {
	failed, without := len(p.of(id, verdict.Fail)), len(p.of(id, verdict.Unsupported))
	var words []string
	if failed > 0 {
		words = append(words, fmt.Sprintf(p.Pick("fails on %d recorded cells", "在 %d 个有记录的单元上失败"), failed))
	}
	if without > 0 {
		words = append(words, fmt.Sprintf(p.Pick("unsupported on %d", "在 %d 个上不适用"), without))
	}
	if len(words) == 0 {
		return ""
	}
	return p.Pick(" (", "（") + strings.Join(words, p.Pick(", ", "，")) + p.Pick(")", "）")
}

// defect explains a defect model, and reports whether there is one with the name.
func (p *page) defect(name string) bool {
	i := slices.IndexFunc(p.Models, func(m defect.Model) bool { return strings.EqualFold(m.Name, name) })
	if i < 0 {
		return false
	}
	m := p.Models[i]
	fmt.Fprintf(p, "%s\n%s\n%s\n\n", m.Name, m.English, m.Chinese)
	p.say("Subject: %s", "主题：  %s", m.Subject)
	p.say("Changes: %s", "改变：  %s", strings.Join(m.Calls, p.Pick(", ", "、")))
	p.say("Inject:  mapstack run --defect %s --cell CELL; such a run certifies nothing", "注入：  mapstack run --defect %s --cell CELL；这样的运行不构成认证", m.Name)
	claims, on := p.Catchers(m.Name)
	var lines []string
	for i, c := range claims {
		line := fmt.Sprintf("%s %s%s%s", c.ID, c.Level, p.Pick(": ", "："), p.Pick(c.English, c.Chinese))
		if on[i] != "" {
			line += p.Pick(" (on "+on[i]+")", "（仅 "+on[i]+"）")
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		lines = []string{p.Pick("none; the table is older than the model, and make kill-table writes it again", "无；表比模型旧，make kill-table 会重新生成")}
	}
	p.list("Claims that catch it (fixtures/kill-table.md)", "发现它的断言（fixtures/kill-table.md）", lines)
	return true
}
