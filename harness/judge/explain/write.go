package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// page is an explanation that is being written.
type page struct {
	Library
	language.Language
	strings.Builder
}

// say writes a line in the language of the page.
func (p *page) say(english, chinese string, args ...any) {
	fmt.Fprintf(p, p.Pick(english, chinese)+"\n", args...)
}

// list writes lines below a title; nothing if there are none.
func (p *page) list(english, chinese string, lines []string) {
	if len(lines) == 0 {
		return
	}
	p.say("\n"+english+":", "\n"+chinese+"：")
	for _, line := range lines {
		p.WriteString("  - " + line + "\n")
	}
}

// text returns a text in the language of the page.
func (p *page) text(t report.Text) string { return p.Pick(t.English, t.Chinese) }

// claim explains a claim, and reports whether there is one with the ID.
func (p *page) claim(id string) bool {
	i := slices.IndexFunc(p.Claims, func(c Claim) bool { return strings.EqualFold(c.ID, id) })
	if i < 0 {
		return false
	}
	c := p.Claims[i]
	fmt.Fprintf(p, "%s  %s  %s\n%s\n%s\n\n", c.ID, c.Level, c.Suite, c.English, c.Chinese)
	switch c.Level {
	case verdict.Must:
		p.say("Level:   MUST: a kernel that fails it is non-conformant.", "级别：  MUST：不满足它的内核不合格。")
	default:
		p.say("Level:   %s: a failure is reported and changes no verdict.", "级别：  %s：不满足时只作报告，不改变结论。", c.Level)
	}
	p.say("Source:  %s", "来源：  %s", c.Source)
	p.readings(c)
	p.needs(c)
	p.list("What proves that it can fail (fixtures/kill-table.md)", "证明它可以失败的缺陷（fixtures/kill-table.md）", p.proof(c))
	p.recorded(c)
	p.list("Failures that are on record", "有记录的失败", p.known(c.ID))
	p.list("Findings that name it", "提到它的发现", p.findings(c))
	p.advice(c)
	return true
}

// readings says what a claim reads.
func (p *page) readings(c Claim) {
	if c.Probe == "" {
		p.say("Probe:   none: it counts what the other claims of the suite decided.", "探针：  无：它统计套件中其他断言的判定。")
		return
	}
	p.say("Probe:   %s; mapstack probe CELL %[1]s prints what it observes", "探针：  %s；mapstack probe CELL %[1]s 打印它的观察", c.Probe)
	if len(c.Steps) == 0 {
		p.say("Steps:   none: what the system says of itself decides it", "步骤：  无：由系统对自身的说明判定")
		return
	}
	p.say("Steps:   %s", "步骤：  %s", strings.Join(c.Steps, p.Pick(", ", "、")))
}

// needs says where a claim applies.
func (p *page) needs(c Claim) {
	var all []string
	for _, n := range c.Needs {
		all = append(all, p.text(n))
	}
	if len(all) > 0 {
		p.say("Needs:   %s; it is unsupported without", "需要：  %s；不具备时为 unsupported", strings.Join(all, p.Pick(", ", "、")))
	}
	switch {
	case len(c.Off) == 0:
	case len(c.Off) > len(c.On):
		p.say("Only on: %s", "仅适用于：%s", strings.Join(c.On, p.Pick(", ", "、")))
	default:
		p.say("Not on:  %s", "不适用于：%s", strings.Join(c.Off, p.Pick(", ", "、")))
	}
}

// proof lists the defects that a claim catches.
func (p *page) proof(c Claim) (lines []string) {
	proof, there := p.Proofs[c.ID]
	for _, k := range proof.Catches {
		line := k.Defect
		for _, m := range p.Models {
			if m.Name == k.Defect {
				line += p.Pick(": ", "：") + p.Pick(m.English, m.Chinese)
			}
		}
		if k.On != "" {
			line += p.Pick(" (on "+k.On+")", "（仅 "+k.On+"）")
		}
		lines = append(lines, line)
	}
	switch {
	case len(lines) > 0:
	case !there:
		lines = []string{p.Pick("the table does not have the claim yet", "表中还没有这条断言")}
	case proof.None != "":
		lines = []string{p.Pick("no defect model: ", "没有缺陷模型：") + proof.None}
	default:
		lines = []string{p.Pick("no defect model; wrong answers in the tests of its suite show that it can fail", "没有缺陷模型；其套件的测试用错误的应答证明它可以失败")}
	}
	return lines
}

// recorded tells on which recorded cells a claim fails or is not decided. Cells with one
// reason share a line.
func (p *page) recorded(c Claim) {
	passed := len(p.of(c.ID, verdict.Pass))
	p.say("\nOn recorded cells (fixtures/recorded, fixtures/lab) it holds on %d.", "\n在有记录的单元（fixtures/recorded、fixtures/lab）中，它在 %d 个上成立。", passed)
	for _, s := range []verdict.Status{verdict.Fail, verdict.Error, verdict.NotRun, verdict.Unsupported} {
		var reasons []string
		cells := map[string][]string{}
		for _, r := range p.of(c.ID, s) {
			if len(cells[r.Reason]) == 0 {
				reasons = append(reasons, r.Reason)
			}
			cells[r.Reason] = append(cells[r.Reason], r.Cell)
		}
		for _, why := range reasons {
			fmt.Fprintf(p, "  - %s%s%s\n", s, p.Pick(" on ", "："), strings.Join(cells[why], p.Pick(", ", "、")))
			if why != "" {
				fmt.Fprintf(p, "    %s\n", why)
			}
		}
	}
}

// known lists the records that expect or accept that a claim fails.
func (p *page) known(id string) (lines []string) {
	for _, k := range p.Known {
		if k.Claim != id {
			continue
		}
		line := fmt.Sprintf(p.Pick("%s, on %s: %s; see %s", "%s，单元 %s：%s；见 %s"), k.File, strings.Join(k.Cells, p.Pick(", ", "、")), k.Reason, k.Link)
		if k.Ends != "" {
			line += fmt.Sprintf(p.Pick("; ends %s", "；截止 %s"), k.Ends)
		}
		lines = append(lines, line)
	}
	return lines
}

func (p *page) findings(c Claim) (lines []string) {
	for _, f := range p.about(c) {
		lines = append(lines, fmt.Sprintf(p.Pick("%s: %s#%s", "%s：%s#%s"), f.Title, f.Page, f.Anchor))
	}
	return lines
}

// advice says what to do when a claim fails.
func (p *page) advice(c Claim) {
	p.say("\nIf it fails here:", "\n如果它在这里失败：")
	step := 0
	say := func(english, chinese string, args ...any) {
		step++
		fmt.Fprintf(p, "  %d. %s\n", step, fmt.Sprintf(p.Pick(english, chinese), args...))
	}
	if c.Probe == "" {
		say("The outcomes of the suite's other claims say what kept them from being decided. Supply that, and run again.",
			"套件中其他断言的结果说明了为何没有判定。补上所缺之物，然后重新运行。")
		return
	}
	if len(p.about(c)) > 0 {
		say("Read the findings above: one may be your case, and says what to do.", "先读上面的发现：其中之一可能就是您的情况，并有对策。")
	}
	say("Repeat it alone: mapstack run --focus %s, with the --cell, --kernel or --target of your run.", "单独重复：mapstack run --focus %s，加上您那次运行的 --cell、--kernel 或 --target。", c.ID)
	say("report.html shows what was expected and observed. The transcript of probe %s shows every call.", "report.html 显示预期和实际。探针 %s 的记录显示每次调用。", c.Probe)
	say("Find the kernel that changed it: mapstack bisect --good OLD --bad NEW --focus %s KERNELS, where KERNELS is a folder, a yum repository or an architecture; or mapstack diff between two runs.",
		"找出改变它的内核：mapstack bisect --good 旧 --bad 新 --focus %s 内核列表（一个目录、yum 仓库或架构），或用 mapstack diff 比较两次运行。", c.ID)
	say("Tell whoever builds the kernel, with the source above. If the behaviour is meant, record it in fixtures/deviations.yaml with a reason.",
		"附上上面的来源，告知内核的构建者。如果这种行为是有意的，在 fixtures/deviations.yaml 中记录并说明理由。")
}
