package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/flakes"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

func flakesCommand() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use: "flakes DIR[@CELL] DIR[@CELL]...", Short: "Show which claims several runs did not decide alike",
		Long: "flakes judges the evidence of several finished runs of the same cells. It lists the claims that they did not all decide\n" +
			"alike, and says how rare that is. It ends with 0 whatever it finds.",
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeFlakes(cmd.OutOrStdout(), args, markdown, tongue(cmd))
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "write tables in Markdown")
	return cmd
}

// writeFlakes writes a line for each run, and what they did not decide alike.
func writeFlakes(w io.Writer, places []string, markdown bool, l language.Language) error {
	var tally flakes.Tally
	t := columns()
	t.AppendHeader(table.Row{l.Pick("RUN", "运行"), l.Pick("STARTED", "开始"), l.Pick("SECONDS", "秒"),
		"pass", "fail", "error", "not-run", l.Pick("RETRIES", "重试"), l.Pick("EXIT", "退出码")})
	for i, place := range places {
		r, err := judgedAt(place)
		if err != nil {
			return err
		}
		tally.Add(r)
		c := verdict.Count(r.Outcomes)
		t.AppendRow(table.Row{i + 1, r.Header.Started.UTC().Format(time.DateOnly), int(r.Header.Finished.Sub(r.Header.Started).Seconds()),
			c.Pass, c.Fail, c.Error, c.NotRun, len(r.Header.Retries), verdict.End(r.Outcomes).ExitCode})
	}
	_, err := fmt.Fprint(w, drawn(t, markdown)+"\n"+flakeTable(&tally, markdown, l))
	return err
}

// flakeTable shows the claims that runs decided differently, and how rare that is.
func flakeTable(tally *flakes.Tally, markdown bool, l language.Language) string {
	found := tally.Flakes()
	text := fmt.Sprintf(l.Pick("\nAll %d runs decided every claim alike.\n", "\n每条断言在全部 %d 次运行中的判定都相同。\n"), tally.Runs)
	if len(found) > 0 {
		t := columns()
		t.AppendHeader(table.Row{l.Pick("CELL", "单元"), l.Pick("CLAIM", "断言"), l.Pick("LEVEL", "级别"), "pass", "fail", "error", "unsupported", "not-run", l.Pick("NOT PASSED IN", "未通过的次数")})
		for _, f := range found {
			var runs []string
			for _, n := range f.Runs {
				runs = append(runs, strconv.Itoa(n))
			}
			c := f.Counts
			t.AppendRow(table.Row{f.Cell, f.Claim, f.Level, c.Pass, c.Fail, c.Error, c.Unsupported, c.NotRun, strings.Join(runs, " ")})
		}
		text = l.Pick("\nThese claims were not always decided alike:\n\n", "\n以下断言的判定并不总是相同：\n\n") + drawn(t, markdown) + "\n"
	}
	r := tally.Rate()
	return text + fmt.Sprintf(l.Pick(
		"\nOf %d decisions, %d were not as most runs decided the claim, and %d of these were failures. With 95 %% confidence the\ntrue rates are below %.4f %% and %.4f %%.\n",
		"\n共 %d 次判定，其中 %d 次与多数运行对该断言的判定不同，包括 %d 次失败。在 95 %% 的置信度下，\n真实比率低于 %.4f %% 和 %.4f %%。\n"),
		r.Decisions, r.Odd, r.Red, 100*r.Bound(r.Odd), 100*r.Bound(r.Red))
}

// drawn draws a table for a terminal, or in Markdown.
func drawn(t table.Writer, markdown bool) string {
	if markdown {
		return t.RenderMarkdown()
	}
	return t.Render()
}
