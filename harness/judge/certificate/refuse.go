package certificate

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
)

// Refusal is one reason why there is no certificate. What it quotes of an outcome is in English.
type Refusal struct {
	Why string // one line
	// Chinese says the same; empty for a text that exists in English alone, such as an error.
	Chinese string
	// Incomplete reports that something was not decided; else something is not as it must be.
	Incomplete bool
}

// because returns a refusal. Both formats take the same arguments.
func because(english, chinese string, args ...any) Refusal {
	return Refusal{Why: fmt.Sprintf(english, args...), Chinese: fmt.Sprintf(chinese, args...)}
}

// under puts what a refusal is about before it.
func (r Refusal) under(english, chinese string) Refusal {
	r.Why, r.Chinese = english+r.Why, chinese+cmp.Or(r.Chinese, r.Why)
	return r
}

// undecided marks a refusal because something was not decided.
func (r Refusal) undecided() Refusal {
	r.Incomplete = true
	return r
}

// ExitCode returns the exit status that reasons give: 2 if things were not decided, and
// nothing else is wrong.
func ExitCode(reasons []Refusal) int {
	code := verdict.ExitConformant
	for _, r := range reasons {
		if !r.Incomplete {
			return verdict.ExitNonConformant
		}
		code = verdict.ExitIncomplete
	}
	return code
}

// Refusals lists every reason why a run gets no certificate.
func Refusals(in Inputs) (all []Refusal) {
	refuse := func(english, chinese string, args ...any) { all = append(all, because(english, chinese, args...)) }
	if in.Run.Focus != "" {
		refuse("the run was narrowed to %s; run it without --focus", "运行被缩小到 %s；请去掉 --focus 重新运行", in.Run.Focus)
	}
	if in.Run.Defect != "" {
		refuse("the defect %s was injected; run without --defect", "注入了缺陷 %s；请去掉 --defect 重新运行", in.Run.Defect)
	}
	if r := in.Vendor.Contradicts(in.Run.Product); r != nil {
		all = append(all, *r)
	}
	ran := day(in.Run.Started)
	switch made := day(in.Made); {
	case ran.After(made):
		refuse("the run is of %s, which is not yet; set the clock of this machine, or of the one that ran it",
			"运行的日期是 %s，还没有到；请校准本机或运行所在机器的时钟", ran.Format(time.DateOnly))
	case made.After(end(ran)):
		refuse("the run is of %s, and a certificate of it ended on %s; run it again",
			"运行的日期是 %s，其证书已于 %s 到期；请重新运行", ran.Format(time.DateOnly), end(ran).Format(time.DateOnly))
	}
	for _, c := range in.Cells {
		for _, why := range unfit(c) {
			all = append(all, why.under("cell "+c.Cell.Name+": ", "单元 "+c.Cell.Name+"："))
		}
	}
	for _, o := range in.Outcomes {
		all = append(all, against(o, ran)...)
	}
	if d := verdict.Decide(in.Outcomes); d.Verdict != verdict.Conformant && len(all) == 0 {
		r := because("the verdict is %[1]s: %[2]s", "结论是 %[1]s：%[3]s", d.Verdict, d.Reason, cmp.Or(d.Chinese, d.Reason))
		r.Incomplete = d.Verdict == verdict.Incomplete
		all = append(all, r)
	}
	return all
}

// against returns what an outcome of a run on a day has against a certificate.
func against(o verdict.Outcome, ran time.Time) []Refusal {
	first, _, _ := strings.Cut(o.Reason, "\n")
	test := []any{o.Claim, o.Level, o.Cell, first}
	switch {
	case o.Status == verdict.Pass || o.Status == verdict.Unsupported:
		return nil
	case o.Accepted():
		return record(o, ran)
	case o.Status == verdict.Fail && (o.Level == verdict.Must || strings.HasPrefix(o.Reason, verdict.StaleDeviation)):
		return []Refusal{because("%s, a %s, on cell %s, does not hold: %s", "单元 %[3]s 上的 %[1]s（%[2]s）不成立：%[4]s", test...)}
	case o.Status == verdict.Fail:
		return nil
	case o.Status == verdict.NotRun:
		return []Refusal{because("%s, a %s, on cell %s, was not decided: %s", "单元 %[3]s 上的 %[1]s（%[2]s）没有判定：%[4]s", test...).undecided()}
	}
	return []Refusal{because("%s, a %s, on cell %s, ended in an error: %s", "单元 %[3]s 上的 %[1]s（%[2]s）以错误结束：%[4]s", test...).undecided()}
}

// page matches a heading of the documents, as the records of fixtures link to it.
var page = regexp.MustCompile(`^docs/[A-Za-z0-9._-]+\.md#[\w-]+$`)

// record returns why a certificate cannot rest on a deviation.
func record(o verdict.Outcome, ran time.Time) (all []Refusal) {
	d := o.Deviation
	refuse := func(english, chinese string, args ...any) {
		all = append(all, because(english, chinese, args...).under(fmt.Sprintf("%s, a %s, on cell %s, fails as a deviation accepts, and the deviation ", o.Claim, o.Level, o.Cell),
			fmt.Sprintf("单元 %[3]s 上的 %[1]s（%[2]s）不成立，有偏差接受它，而该偏差", o.Claim, o.Level, o.Cell)))
	}
	if d.Reason == "" {
		refuse("has no reason", "没有理由")
	}
	if !web(d.Source) && !page.MatchString(d.Source) {
		refuse("has no link: its source is %q, and must be a URL or like docs/findings.md#heading", "没有链接：其来源是 %q，必须是 URL，或形如 docs/findings.md#heading", d.Source)
	}
	if last, err := time.Parse(time.DateOnly, d.Until); d.Until != "" && (err != nil || ran.After(last)) {
		refuse("is past its end, %s", "已于 %s 到期", d.Until)
	}
	return all
}

// unfit returns why a cell is none that a vendor can have certified.
func unfit(c evidence.CellRun) (all []Refusal) {
	bad := func(english, chinese string, args ...any) { all = append(all, because(english, chinese, args...)) }
	switch cell := c.Cell; {
	case cell.Host == matrix.UserMode:
		bad("it is a user-mode emulator, and no kernel was tested", "它是用户态模拟器，没有测试任何内核")
	case cell.Host == matrix.Native || cell.Host == matrix.SSH:
		bad("it is a system that ran already, and nothing shows which package its kernel is of; run the package with --kernel, or the whole system with --full-boot",
			"它是已在运行的系统，无法证明其内核来自哪个软件包；请用 --kernel 运行软件包，或用 --full-boot 运行整个系统")
	case cell.Tier == matrix.Twin || cell.Tier == matrix.Model:
		bad("it is a %s and no kernel of the vendor; name the vendor's cell alone with --cell", "它属于 %s，不是厂商的内核；请用 --cell 只指定厂商的单元", cell.Tier)
	case cell.Ours():
		bad("it is a cell of the built-in matrix, and its kernel was not given by the vendor; give one with --kernel or --os-image",
			"它是内置矩阵的单元，其内核不是厂商提供的；请用 --kernel 或 --os-image 提供内核")
	}
	if c.Cell.Focus != "" {
		bad("only %s was checked on it", "在它上面只检查了 %s", c.Cell.Focus)
	}
	for _, p := range c.Cell.Params {
		bad("the kernel was given the parameter %s, with which it is not shipped", "内核得到了参数 %s，而它出厂时不带此参数", p.Value)
	}
	if p := c.Cell.Policy; c.Cell.Kernel.From == matrix.Given && len(p) > 0 && (c.Kernel == nil || len(c.Kernel.Provenance.Policy) == 0) {
		bad("the guest was given the setting %s by a matrix file, and no image shows that the product has it; run the product's disk image",
			"客户机的设置 %s 由矩阵文件给出，没有映像表明产品带有它；请运行产品的磁盘映像", p[0].Name)
	}
	if c.QEMU != nil {
		for _, p := range c.QEMU.Params {
			if p.Reason == arch.Asked {
				bad("the kernel was given the parameter %s, with which it is not shipped; run it without --kernel-arg",
					"内核得到了参数 %s，而它出厂时不带此参数；请去掉 --kernel-arg 重新运行", p.Value)
			}
		}
	}
	if c.Kernel == nil || !sha256Hex(c.Kernel.Provenance.SHA256) || c.Kernel.ImageSHA256 != "" && !sha256Hex(c.Kernel.ImageSHA256) {
		bad("the evidence has no SHA-256 of what was tested", "证据中没有被测对象的 SHA-256")
	}
	return all
}

// sha256Hex reports whether a text is a SHA-256 as an in-toto digest has it.
func sha256Hex(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}
