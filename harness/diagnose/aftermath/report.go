package aftermath

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/language"
)

// Report is what can be said after the fact.
type Report struct {
	Schema int `json:"schema"`
	// Verdict is "refused", or "unknown" if the log tells of no refusal.
	Verdict string  `json:"verdict"`
	Log     Log     `json:"log"`
	Host    *Host   `json:"host,omitempty"`
	Causes  []Cause `json:"causes,omitempty"`
	// Next are commands that show the cause while the program runs.
	Next        []diagnose.Remedy `json:"next"`
	Explanation diagnose.Text     `json:"explanation"`
}

// Host says whose facts the causes were weighed by.
type Host struct {
	Architecture string    `json:"architecture"`
	Kernel       string    `json:"kernel"`
	Taken        time.Time `json:"taken"`
	// Given reports that the facts were read from a file. Otherwise they are of the host
	// that read the log.
	Given bool `json:"given"`
}

// Judge makes the report of a log by the facts of a host. Facts may be nil: then the
// causes are in their usual order.
func Judge(log Log, f *Facts) Report {
	r := Report{Schema: Schema, Verdict: "unknown", Log: log, Causes: causes(log, f), Next: next(log, f)}
	if len(log.Words) > 0 {
		r.Verdict = "refused"
	}
	if f != nil {
		r.Host = &Host{Architecture: shown(f.Architecture), Kernel: shown(f.State.Kernel), Taken: f.Taken, Given: f.given}
	}
	r.Explanation = r.explain()
	return r
}

func (r Report) explain() diagnose.Text {
	if len(r.Log.Words) == 0 {
		return say("The log has no words that are known of a program that got no thread, process or memory (lines read: %[1]d).",
			"日志中没有已知的、表明程序未能得到线程、进程或内存的文字（已读 %[1]d 行）。", r.Log.Lines)
	}
	w := r.Log.Words[0]
	t := say("The log tells of this (line %[1]d, words of %[2]s): %[3]s.", "日志第 %[1]d 行（%[2]s 的文字）：%[3]s。", w.Line, w.Speaker, strings.TrimRight(w.Text, ". "))
	if len(r.Causes) == 0 {
		return t
	}
	c := r.Causes[0]
	lead := map[Likelihood]diagnose.Text{
		Certain: say("The cause:", "原因："), Likely: say("The likely cause:", "很可能的原因："),
	}[c.Likelihood]
	if lead.English == "" {
		lead = say("The most frequent cause:", "最常见的原因：")
	}
	t.English += " " + lead.English + " " + c.Why.English + ". To mend it: " + c.Cure.English + "."
	t.Chinese += lead.Chinese + c.Why.Chinese + "。对策：" + c.Cure.Chinese + "。"
	return t
}

// next returns the commands that catch it next time.
func next(log Log, f *Facts) []diagnose.Remedy {
	var list []diagnose.Remedy
	for _, w := range log.Words {
		if strings.HasSuffix(w.Name, ".service") {
			list = append(list, diagnose.Remedy{
				Command: `mapstack diagnose --pid "$(systemctl show --property MainPID --value ` + foreign.Shell(w.Name) + `)"`,
				When:    say("watches the service, until it ends or Ctrl-C", "监视该服务，直到它结束或按下 Ctrl-C")})
			break
		}
	}
	list = append(list, diagnose.Remedy{Command: "mapstack diagnose -- PROGRAM ARGUMENTS",
		When: say("starts the program and names the limit when it refuses", "启动程序，在被拒绝的当时指出是哪个限制")})
	if f != nil && f.State.Container != "" {
		list = append(list, diagnose.Remedy{Command: "docker run --cap-add SYS_PTRACE -v /path/of/mapstack:/mapstack:ro --entrypoint /mapstack IMAGE diagnose -- PROGRAM",
			When: say("in a container", "在容器中")})
	}
	if f == nil {
		list = append(list, diagnose.Remedy{Command: "mapstack diagnose --facts -o facts.json",
			When: say("on the host of the program, for --host-facts facts.json", "在程序所在的主机上运行，供 --host-facts facts.json 使用")})
	}
	return list
}

// Write writes the report as text, or as JSON on one line.
func (r Report) Write(w io.Writer, language language.Language, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r, "")
	}
	var b strings.Builder
	fmt.Fprintln(&b, "mapstack:", r.Explanation.In(language))
	if r.Host != nil {
		fmt.Fprintln(&b, r.Host.text().In(language))
	}
	for i, c := range r.Causes {
		c.write(&b, i+1, language)
	}
	if len(r.Log.Words) > 1 {
		fmt.Fprintln(&b, say("All that the log tells:", "日志中的全部相关文字：").In(language))
		for _, w := range r.Log.Words {
			fmt.Fprintf(&b, "  %d (×%d) %s\n", w.Line, w.Times, w.Text)
		}
	}
	if r.Log.Cut {
		fmt.Fprintln(&b, say("The log has more than what was read or kept (%[1]d MiB, %[2]d kinds of words): give the part around the end of the program.",
			"日志超出读取或保留的范围（%[1]d MiB，%[2]d 种文字）：请只给出程序结束前后的部分。", maxLog>>20, maxWords).In(language))
	}
	fmt.Fprintln(&b, say("To catch it next time:", "下次如何当场查明：").In(language))
	for _, n := range r.Next {
		fmt.Fprintf(&b, "  %s    # %s\n", n.Command, n.When.In(language))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (h Host) text() diagnose.Text {
	when := h.Taken.UTC().Format(time.RFC3339)
	if h.Given {
		return say("Weighed by the facts of a host with Linux %[1]s on %[2]s, taken at %[3]s:", "依据给定主机的事实（Linux %[1]s，%[2]s，采集于 %[3]s）：", h.Kernel, h.Architecture, when)
	}
	return say("Weighed by what this host shows now. If the log is of another host, use --facts there and --host-facts here:",
		"依据本机当前的状态。若日志来自另一台主机，请在那里用 --facts，在这里用 --host-facts：")
}

func (c Cause) write(b *strings.Builder, number int, language language.Language) {
	how := map[Likelihood]diagnose.Text{
		Certain: say("certain", "确定"), Likely: say("likely", "很可能"), Possible: say("possible", "可能"), Unlikely: say("unlikely", "不太可能"),
	}[c.Likelihood]
	fmt.Fprintf(b, "%d. %s: %s [%s]\n", number, how.In(language), c.Why.In(language), c.ID)
	for _, t := range c.For {
		fmt.Fprintf(b, "     + %s\n", t.In(language))
	}
	for _, t := range c.Against {
		fmt.Fprintf(b, "     - %s\n", t.In(language))
	}
	fmt.Fprintf(b, "     %s\n", c.Cure.In(language))
}
