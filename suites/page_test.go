package suites

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
)

// TestClaimsPagesFollowTheClaims fails if the pages in docs/ differ from the
// claims. With -update it writes them.
func TestClaimsPagesFollowTheClaims(t *testing.T) {
	golden(t, "../docs/claims.md", english().page(t, All()))
	golden(t, "../docs/claims.zh-CN.md", chinese().page(t, All()))
}

// language is what the pages of two languages differ in.
type language struct {
	intro   string
	columns []string // of the table of suites
	suite   string   // what follows the line about a suite: prefix and probe
	// Labels of what stands below a claim.
	colon, comma, source, finding, findings, needs, probe, onlyOn, notOn string

	about    func(claim.Suite) string
	sentence func(claim.Claim) string
	feature  func(abi.Feature) string // "" when the language has no name for it
	lacked   func(claim.Feature) string
	floor    func(claim.Text) string
}

func english() language {
	return language{
		intro: `# Claims

[中文](claims.zh-CN.md)

Written by ` + "`go test ./suites -run TestClaimsPage -update`" + ` from the claims in suites/; do not edit.

mapstack judges a kernel by the %d claims below. The ID of a claim never changes.

- **MUST**: a kernel that fails the claim is non-conformant.
- **SHOULD**, **MAY**: a failure is reported and changes no verdict.
- **Source**: where the expectation comes from: a file of the kernel, a commit, a manual page, or what was observed.
  What the recorded kernels said is in fixtures/recorded; how the claims judge it is in suites/outcomes.golden.
- **Finding**: a defect that is known to fail the claim, with what to do about it.
- **Needs**: what the architecture, or the system as it shows itself, must have. Without it the claim is unsupported,
  and the report says how that was seen.

`,
		columns:  []string{"suite", "prefixes", "MUST", "SHOULD", "MAY", "probes", "about"},
		suite:    " New claims have the prefix %s. The probe is %s.",
		colon:    ": ",
		comma:    ", ",
		source:   "Source",
		finding:  "Finding",
		findings: "findings.md",
		needs:    "Needs",
		probe:    "Probe",
		onlyOn:   "Only on",
		notOn:    "Not on",
		about:    func(a claim.Suite) string { return a.About.English },
		sentence: func(c claim.Claim) string { return c.English },
		feature:  func(f abi.Feature) string { return string(f) },
		lacked:   func(f claim.Feature) string { return f.Name },
		floor:    func(text claim.Text) string { return text.English },
	}
}

func chinese() language {
	features := map[abi.Feature]string{
		abi.GoPort:      "Go 自身的工具链",
		abi.Sysconf:     "go-sysconf",
		abi.HugePages:   "透明大页",
		abi.Layouts:     "多于一种的映射布局",
		abi.VDSO:        "vDSO",
		abi.Trace:       "PTRACE_GET_SYSCALL_INFO 和 /proc/PID/syscall",
		abi.Tracepoints: "跟踪点",
	}
	return language{
		intro: `# 断言

[English](claims.md)

本页由 ` + "`go test ./suites -run TestClaimsPage -update`" + ` 根据 suites/ 中的断言生成，请勿手工修改。

mapstack 依据以下 %d 条断言评判内核。断言的 ID 永不改变。

- **MUST**：不满足该断言的内核不合格。
- **SHOULD**、**MAY**：不满足时只在报告中列出，不影响结论。
- **来源**：预期的依据，即内核文件、提交、手册页或实际观察（以英文给出）。
  录制内核的原始输出在 fixtures/recorded，对它们的评判在 suites/outcomes.golden。
- **发现**：已知会使该断言不满足的缺陷，以及对策。
- **需要**：架构必须具备的特性，或者系统自身应当表现出的特性。不具备时该断言为 unsupported，报告会说明是怎样看到的。

`,
		columns:  []string{"套件", "前缀", "MUST", "SHOULD", "MAY", "探针", "内容"},
		suite:    "新断言的前缀为 %s。探针为 %s。",
		colon:    "：",
		comma:    "、",
		source:   "来源",
		finding:  "发现",
		findings: "findings.zh-CN.md",
		needs:    "需要",
		probe:    "探针",
		onlyOn:   "仅适用于",
		notOn:    "不适用于",
		about:    func(a claim.Suite) string { return a.About.Chinese },
		sentence: func(c claim.Claim) string { return c.Chinese },
		feature:  func(f abi.Feature) string { return features[f] },
		lacked:   func(f claim.Feature) string { return f.Chinese },
		floor:    func(text claim.Text) string { return text.Chinese },
	}
}

// page returns the whole page: a table of the suites, then a list of claims for
// each.
func (l language) page(t *testing.T, all []claim.Suite) string {
	var b strings.Builder
	fmt.Fprintf(&b, l.intro, len(Claims()))
	row(&b, l.columns...)
	row(&b, slices.Repeat([]string{"---"}, len(l.columns))...)
	for _, a := range all {
		levels := map[verdict.Level]int{}
		for _, c := range a.Claims {
			levels[c.Level]++
		}
		number := func(level verdict.Level) string { return fmt.Sprint(levels[level]) }
		row(&b, fmt.Sprintf("[%s](#%s)", a.Name, a.Name), strings.Join(prefixes(a), l.comma),
			number(verdict.Must), number(verdict.Should), number(verdict.May),
			strings.Join(probesOf(a), l.comma), markdown(l.about(a)))
	}
	for _, a := range all {
		fmt.Fprintf(&b, "\n## %s\n\n%s%s\n\n", a.Name, markdown(l.about(a)), fmt.Sprintf(l.suite, a.Prefix, a.Probe))
		if a.Floor > 0 {
			fmt.Fprintf(&b, "- **%s** %s%s%s\n", a.FloorID(), verdict.Must, l.colon, l.floor(a.FloorText()))
		}
		for _, c := range ordered(a) {
			l.claim(t, &b, a, c)
		}
	}
	return b.String()
}

// claim writes a claim and, below it, all that belongs to it.
func (l language) claim(t *testing.T, b *strings.Builder, a claim.Suite, c claim.Claim) {
	fmt.Fprintf(b, "- **%s** %s%s%s\n", c.ID, c.Level, l.colon, markdown(l.sentence(c)))
	part := func(label, text string) {
		if text != "" {
			fmt.Fprintf(b, "  - %s%s%s\n", label, l.colon, markdown(text))
		}
	}
	part(l.source, c.Source)
	if c.Finding != "" {
		fmt.Fprintf(b, "  - %s%s[%s](%s#%[3]s)\n", l.finding, l.colon, c.Finding, l.findings)
	}
	var needs []string
	for _, f := range c.Needs {
		name := l.feature(f)
		if name == "" {
			t.Errorf("%s needs %q, which has no name in the language of %s", c.ID, f, l.needs)
		}
		needs = append(needs, name)
	}
	for _, f := range c.Features {
		needs = append(needs, l.lacked(f))
	}
	part(l.needs, strings.Join(needs, l.comma))
	on, off := applies(c)
	switch {
	case len(off) == 0:
	case len(off) > len(on):
		part(l.onlyOn, strings.Join(on, l.comma))
	default:
		part(l.notOn, strings.Join(off, l.comma))
	}
	if c.Probe != a.Probe {
		part(l.probe, c.Probe)
	}
}

// applies returns the architectures that a claim applies to, and those that its
// Unsupported excludes. Exclusions of single cells are left out.
func applies(c claim.Claim) (on, off []string) {
	if c.Unsupported == nil {
		return nil, nil
	}
	for _, table := range abi.All() {
		cell := matrix.Cell{Arch: table.GOARCH, Policy: []matrix.Setting{{Of: matrix.OfSysctl}}}
		if c.Unsupported(cell, table) == "" {
			on = append(on, table.GOARCH)
		} else {
			off = append(off, table.GOARCH)
		}
	}
	return on, off
}

// ordered returns the claims of a suite by ID, those with its own prefix first.
func ordered(a claim.Suite) []claim.Claim {
	order := prefixes(a)
	claims := slices.Clone(a.Claims)
	slices.SortFunc(claims, func(x, y claim.Claim) int {
		if of := slices.Index(order, x.ID[:2]) - slices.Index(order, y.ID[:2]); of != 0 {
			return of
		}
		return strings.Compare(x.ID, y.ID)
	})
	return claims
}

// probesOf returns the probes that the claims of a suite read, the suite's first.
func probesOf(a claim.Suite) []string {
	probes := []string{a.Probe}
	for _, c := range a.Claims {
		if !slices.Contains(probes, c.Probe) {
			probes = append(probes, c.Probe)
		}
	}
	return probes
}

// markdown escapes what Markdown would take for markup. An underscore inside of a
// word is none.
func markdown(text string) string {
	var b strings.Builder
	runes := []rune(text)
	inside := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	for i, r := range runes {
		if strings.ContainsRune("\\`*<>[]|~&", r) || r == '_' && !(inside(i-1) && inside(i+1)) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// TestMarkdownShowsTheTextItself fails if a source such as sys_linux_*.s or
// MAP_PRIVATE|MAP_ANONYMOUS becomes markup.
func TestMarkdownShowsTheTextItself(t *testing.T) {
	for text, want := range map[string]string{
		"MAP_STACK":          "MAP_STACK",
		"__vm_enough_memory": `\_\_vm_enough_memory`,
		"arch/*/mm, *":       `arch/\*/mm, \*`,
		"A|B":                `A\|B`,
		"<a> [b] `c` ~d~ \\": "\\<a\\> \\[b\\] \\`c\\` \\~d\\~ \\\\",
		"__ARCH_":            `\_\_ARCH\_`,
	} {
		if got := markdown(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
