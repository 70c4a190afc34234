package load

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/mapstack/conformance/harness/language"
)

// Short writes a number with three digits, and k, M or G for thousands.
func Short(x float64) string {
	unit := ""
	for _, next := range []string{"k", "M", "G"} {
		if x < 1000 {
			break
		}
		x, unit = x/1000, next
	}
	return Digits(x) + unit
}

// Digits writes a number with three digits that count, and without an exponent.
func Digits(x float64) string {
	places := 2
	switch {
	case x >= 100 || x == 0:
		places = 0
	case x >= 10:
		places = 1
	case x < 0.01:
		places = 4
	case x < 0.1:
		places = 3
	}
	return strconv.FormatFloat(x, 'f', places, 64)
}

// Nanos writes a time in ns with three digits and its unit.
func Nanos(ns float64) string {
	for _, u := range []string{"ns", "µs", "ms"} {
		if ns < 1000 {
			return Digits(ns) + " " + u
		}
		ns /= 1000
	}
	return Digits(ns) + " s"
}

// In writes an interval: its value, and its limits if they are known.
func (i Interval) In() string {
	if !i.Bounded() {
		return Digits(i.Value)
	}
	return fmt.Sprintf("%s [%s, %s]", Digits(i.Value), Digits(i.Low), Digits(i.High))
}

// Summary is what all samples of a load on a target say together: medians.
type Summary struct {
	Rate                            Interval
	Spread                          float64 // half of the middle half, as a part of the median
	P50, P99, P999                  float64
	GCP99, SchedP99                 float64
	Threads, Switches, Faults       float64 // threads at most; the others for each operation
	CPU, Others, Stolen, GOMAXPROCS float64 // CPUs that were used: by the program, by others, by a hypervisor
	Operations                      float64 // fewest of a repetition
	SchedKnown, OthersKnown         bool
}

// Summary returns the medians of a run; false if there are no samples.
func (r Run) Summary() (Summary, bool) {
	if len(r.Samples) == 0 {
		return Summary{}, false
	}
	t := Target{Runs: []Run{r}}
	all := func(of func(Sample) float64) []float64 { return t.values(r.Load, of) }
	mid := func(of func(Sample) float64) float64 { return median(all(of)) }
	known := func(of func(Sample) *float64) func(Sample) float64 {
		return func(s Sample) float64 {
			if v := of(s); v != nil {
				return *v
			}
			return 0
		}
	}
	first := r.Samples[0]
	s := Summary{Rate: Median(all(Sample.Rate)), Spread: spread(all(Sample.Rate)),
		P50: mid(func(s Sample) float64 { return s.P50 }), P99: mid(p99), P999: mid(func(s Sample) float64 { return s.P999 }),
		GCP99:   mid(func(s Sample) float64 { return s.GCP99 }),
		Threads: mid(func(s Sample) float64 { return float64(s.ThreadsMost) }), Switches: mid(Sample.Switches),
		Faults:     mid(func(s Sample) float64 { return float64(s.FaultsMinor+s.FaultsMajor) / float64(s.Operations) }),
		CPU:        mid(func(s Sample) float64 { return (s.CPUUser + s.CPUSystem) / s.Nanos }),
		GOMAXPROCS: float64(first.GOMAXPROCS), SchedKnown: first.SchedP99 != nil, OthersKnown: first.OthersCPU != nil,
		SchedP99: mid(known(func(s Sample) *float64 { return s.SchedP99 })),
		Others:   mid(func(s Sample) float64 { return known(func(s Sample) *float64 { return s.OthersCPU })(s) / s.Nanos }),
		Stolen:   mid(func(s Sample) float64 { return known(func(s Sample) *float64 { return s.StolenCPU })(s) / s.Nanos }),
	}
	s.Operations, _ = ends(all(func(s Sample) float64 { return float64(s.Operations) }))
	return s, true
}

// Why says why a load gave no number; "" if it did.
func (r Run) Why(l language.Language) string {
	switch {
	case r.Failed != "":
		return l.Pick("failed: ", "失败：") + r.Failed
	case r.Refused == nil:
		return ""
	case r.Refused.Limit != "":
		return fmt.Sprintf(l.Pick("not begun: it needs %d of %s, and %d are free", "未开始：%[2]s 需要 %[1]d，仅剩 %[3]d"), r.Refused.Needs, r.Refused.Limit, r.Refused.Free)
	}
	return fmt.Sprintf(l.Pick("not begun: %s: %s", "未开始：%s：%s"), r.Refused.Call, r.Refused.Error)
}

// Where says what executes a target, and marks what is no statement about hardware.
func (t Target) Where(l language.Language) string {
	switch {
	case t.Emulated():
		return l.Pick("EMULATED", "模拟")
	case t.Place == KVM || t.Machine["virtual"] == "true":
		return l.Pick("virtual machine", "虚拟机")
	}
	return l.Pick("runs already", "已在运行")
}

// Caution is what must be said of emulated targets.
func Caution(l language.Language) string {
	return l.Pick("EMULATED: QEMU translates every instruction. Its times are no statement about hardware, and two emulated targets are not compared.",
		"模拟：QEMU 翻译每条指令。其时间不能说明任何硬件，两个模拟的目标不作比较。")
}

// Write writes the tables for a terminal.
func (r Result) Write(w io.Writer, c Chapter, l language.Language) error {
	parts := []string{r.targetTable(l), r.hostLine(l), r.loadTable(l), r.notes(l), r.explanationText(c, l), r.figureText(c, l)}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	_, err := io.WriteString(w, strings.Join(parts, "\n"))
	return err
}

// plain returns a table without lines, whose columns from number on are aligned to the right.
func plain(number int, header ...any) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	t.AppendHeader(header)
	var right []table.ColumnConfig
	for n := number; n <= len(header); n++ {
		right = append(right, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	return t
}

func (r Result) targetTable(l language.Language) string {
	t := plain(99, l.Pick("target", "目标"), l.Pick("it", "方式"), "arch", l.Pick("kernel", "内核"), "CPU", l.Pick("CPUs", "CPU 数"), "Go", l.Pick("governor", "调频策略"))
	for _, g := range r.Targets {
		t.AppendRow(table.Row{g.Name, g.Where(l), g.Arch, dash(g.Machine["kernel"]), text.Snip(dash(g.Machine["cpu"]), 40, "…"), dash(g.Machine["cpus"]), dash(g.Machine["go"]), dash(g.Machine["governor"])})
	}
	return t.Render() + "\n"
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (r Result) hostLine(l language.Language) string {
	busiest := 0.0
	for _, h := range r.During {
		busiest = max(busiest, h.BusyCores)
	}
	return fmt.Sprintf(l.Pick("This host: %d cores, of which %.1f were busy before the first repetition and at most %.1f during one; load average %.2f before.\n",
		"本机：%d 个核，第一次重复之前 %.1f 个繁忙，单次重复中最多 %.1f 个；之前的平均负载 %.2f。\n"), r.Host.Cores, r.Before.BusyCores, busiest, r.Before.LoadAverage)
}

func (r Result) loadTable(l language.Language) string {
	header := []any{l.Pick("load", "负载"), l.Pick("target", "目标"), l.Pick("ops/s", "操作/秒"), ""}
	compared := len(r.Comparisons) > 0 // of one target, or of emulated ones alone, there is no ratio
	if compared {
		header = append(header, l.Pick("ratio", "比值"))
	}
	t := plain(3, append(header, "p50", "p99", "p99.9", l.Pick("threads", "线程"))...)
	for _, name := range r.Loads {
		for i, g := range r.Targets {
			row := table.Row{"", g.Name}
			if i == 0 {
				row[0] = name
			}
			run := g.Run(name)
			if run == nil {
				continue
			}
			s, measured := run.Summary()
			cells := table.Row{"-", "", "-", "-", "-", ""}
			if measured {
				cells = table.Row{Short(s.Rate.Value), plusMinus(run.Samples, s.Spread), Nanos(s.P50), Nanos(s.P99), Nanos(s.P999), fmt.Sprintf("%.0f", s.Threads)}
			}
			if compared {
				ratio := ""
				if c := r.Comparison(name, g.Name); c != nil && measured {
					ratio = c.Rate.In()
				}
				cells = slices.Insert(cells, 2, any(ratio))
			}
			t.AppendRow(append(row, cells...))
		}
	}
	return t.Render() + "\n"
}

// plusMinus writes the spread of samples; "" if there is one alone.
func plusMinus(samples []Sample, spread float64) string {
	if len(samples) < 2 {
		return ""
	}
	return fmt.Sprintf("±%.0f%%", 100*spread)
}

// notes says what the table means, and what it lacks.
func (r Result) notes(l language.Language) string {
	var b strings.Builder
	fmt.Fprintf(&b, l.Pick("Medians; repetitions: %d, of %d ms each.", "中位数；重复次数：%d，每次 %d ms。"), r.Repetitions, r.Milliseconds)
	switch {
	case len(r.Comparisons) == 0:
	case r.Limited():
		fmt.Fprintf(&b, l.Pick(" A ratio is to %s. Its limits hold it in 95 of 100 such runs.", "比值相对于 %s。其界限在 100 次这样的运行中 95 次成立。"), r.Targets[0].Name)
	default:
		fmt.Fprintf(&b, l.Pick(" A ratio is to %s. No limits are given: that takes %d repetitions.", "比值相对于 %s。不给出界限：至少需要 %d 次重复。"), r.Targets[0].Name, enough)
	}
	b.WriteString("\n")
	for _, warning := range r.Disturbances(l) {
		b.WriteString(warning + "\n")
	}
	emulated := false
	for _, g := range r.Targets {
		emulated = emulated || g.Emulated()
		for _, run := range g.Runs {
			if why := run.Why(l); why != "" {
				fmt.Fprintf(&b, "%s, %s: %s\n", run.Load, g.Name, why)
			}
		}
	}
	if emulated {
		b.WriteString(Caution(l) + "\n")
	}
	return b.String()
}

// busy is the part of the CPUs that other programs may use before it is said.
const busy = 0.1

// Disturbances says what else ran, if it was so much that the numbers may be about that.
func (r Result) Disturbances(l language.Language) (all []string) {
	if r.Before.BusyCores > busy*float64(r.Host.Cores) {
		all = append(all, fmt.Sprintf(l.Pick("WARNING: this host was busy before the first repetition (%s of %d cores). Measure again while nothing else runs.",
			"警告：第一次重复之前本机就在忙（%[2]d 个核中的 %[1]s 个）。请在没有其他程序运行时重新测量。"), Digits(r.Before.BusyCores), r.Host.Cores))
	}
	for _, t := range r.Targets {
		var others, cpus []float64
		for _, run := range t.Runs {
			for _, s := range run.Samples {
				if s.OthersCPU != nil && s.StolenCPU != nil {
					others, cpus = append(others, (*s.OthersCPU+*s.StolenCPU)/s.Nanos), append(cpus, float64(s.CPUs))
				}
			}
		}
		if used, of := median(others), median(cpus); used > busy*of {
			all = append(all, fmt.Sprintf(l.Pick("WARNING: other programs or a hypervisor took %s of the %.0f CPUs of %s while it was measured.", "警告：测量期间，其他程序或虚拟机管理器占用了 %[3]s 的 %.0[2]f 个 CPU 中的 %[1]s 个。"), Digits(used), of, t.Name))
		}
	}
	return all
}

func (r Result) explanationText(c Chapter, l language.Language) string {
	var b strings.Builder
	for _, because := range c.Explanations {
		answers := r.Answers(because.ID)
		if len(answers) > 0 {
			fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(because.Article+" "+because.In(l)))
		}
		for _, e := range answers {
			fmt.Fprintf(&b, l.Pick("    %s: %s: %s%s\n", "    %s：%s：%s%s\n"), e.Target, e.Answer.In(l), e.Seen.In(l), r.warned(e, l))
		}
	}
	return headed(l.Pick("What the article says of the causes:\n", "文章所述的原因：\n"), b.String())
}

// headed returns a text below its heading; "" if there is no text.
func headed(heading, text string) string {
	if text == "" {
		return ""
	}
	return heading + text
}

// Answers returns what the targets make of an explanation; nil if its loads were not asked for.
func (r Result) Answers(id string) (all []Explanation) {
	for _, e := range r.Explanations {
		if e.ID == id {
			all = append(all, e)
		}
	}
	return all
}

// warned marks an answer about time on an emulated target.
func (r Result) warned(e Explanation, l language.Language) string {
	for _, t := range r.Targets {
		if t.Name == e.Target && t.Emulated() && e.Time {
			return l.Pick(" (EMULATED)", "（模拟）")
		}
	}
	return ""
}

func (r Result) figureText(c Chapter, l language.Language) string {
	var b strings.Builder
	for _, f := range c.Figures {
		var beside strings.Builder
		for _, t := range r.Targets {
			if value := f.Beside(t); value != "" {
				mark := ""
				if t.Emulated() {
					mark = l.Pick(" (EMULATED)", "（模拟）")
				}
				fmt.Fprintf(&beside, l.Pick("    %s: %s: %s%s\n", "    %s：%s：%s%s\n"), f.Load, t.Name, value, mark)
			}
		}
		if f.Value == valueStack && len(r.Stacks) > 0 {
			beside.WriteString(indented(r.stackTable(l), "    "))
		}
		b.WriteString(headed(fmt.Sprintf("  %s\n    %s\n", f.In(l), f.Unsaid.In(l)), beside.String()))
	}
	return headed(l.Pick("The article's figures, and what was measured here:\n", "文章的数字，以及在此测得的结果：\n"), b.String())
}

func indented(s, by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n"+by) + "\n"
}

// stackTable shows what a stack costs.
func (r Result) stackTable(l language.Language) string {
	t := plain(3, l.Pick("stack", "栈"), l.Pick("target", "目标"), l.Pick("pool", "池"), l.Pick("Go's heap", "Go 堆"), l.Pick("own mapping", "单独映射"), l.Pick("writing alone", "仅写入"))
	for _, s := range r.Stacks {
		cost := func(i Interval) string {
			if i.Value == 0 {
				return "-"
			}
			return Nanos(i.Value)
		}
		t.AppendRow(table.Row{SizeIn(s.Size, l), s.Target, cost(s.Pool), cost(s.Heap), cost(s.Mmap), cost(s.Use)})
	}
	return t.Render() + "\n"
}

// SizeIn names a size of stacks.
func SizeIn(size string, l language.Language) string {
	if size == "small" {
		return l.Pick("small, 16 KiB", "小，16 KiB")
	}
	return l.Pick("large, 256 KiB", "大，256 KiB")
}
