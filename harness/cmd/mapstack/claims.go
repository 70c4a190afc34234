package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/article"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix"
)

func claimsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "claims article [DIR]", Short: "Show what a run says of each statement of the article about sw64",
		Long: "claims article lists the technical statements of the article about sw64. Each has what decides it, claims or a\n" +
			"source that was read, and what a finished run (out/<run>) observed. Without DIR it lists them alone.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || args[0] != "article" {
				return errors.New("claims takes the word article, and the folder of a finished run if there is one")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := article.Load(fixtures.FS())
			if err != nil {
				return err
			}
			var cells []matrix.Cell
			var outcomes []verdict.Outcome
			if len(args) == 2 {
				asked, runs, err := evidence.Load(args[1])
				if err != nil {
					return err
				}
				r, err := judge(asked, runs)
				if err != nil {
					return err
				}
				for _, c := range runs {
					cells = append(cells, c.Cell)
				}
				outcomes = r.Outcomes
			}
			v := articleView{cmd.OutOrStdout(), tongue(cmd)}
			v.write(a, a.Statements(cells, outcomes), len(args) == 2)
			return nil
		},
	}
}

// articleView shows an article.
type articleView struct {
	w io.Writer
	language.Language
}

func (v articleView) write(a article.Article, all []article.Statement, ran bool) {
	fmt.Fprintf(v.w, "%s\n%s\n", a.Title, a.URL)
	counts := map[article.Answer]int{}
	for i, s := range all {
		fmt.Fprintf(v.w, "\n%d. %s  %s\n", i+1, s.ID, v.Pick(s.English, s.Chinese))
		if s.Read != nil {
			fmt.Fprintf(v.w, v.Pick("   Decided by a source: %s\n", "   由源码判定：%s\n"), v.Pick(s.Read.English, s.Read.Chinese))
		} else {
			how, claims := v.Pick("Refuted where these hold", "以下断言成立即被推翻"), s.RefutedBy
			if len(s.ConfirmedBy) > 0 {
				how, claims = v.Pick("Confirmed where these hold", "以下断言成立即被证实"), s.ConfirmedBy
			}
			fmt.Fprintf(v.w, "   %s%s%s\n", how, v.Pick(": ", "："), strings.Join(claims, " "))
		}
		answer := s.Answer(s.Decides)
		counts[answer]++
		if !ran || s.Read != nil {
			continue
		}
		if s.Real {
			fmt.Fprintf(v.w, v.Pick("   On %s: %s\n", "   在 %s 上：%s\n"), a.Arch, v.word(answer))
		} else {
			fmt.Fprintf(v.w, v.Pick("   On the twin of %s, since none of its kernels ran: %s\n", "   在 %s 的孪生内核上（没有运行它的内核）：%s\n"), a.Arch, v.word(answer))
		}
		v.evidence(s.Decides)
		if len(s.Elsewhere) > 0 {
			fmt.Fprintf(v.w, v.Pick("   The same claims on other architectures: %s\n", "   同样的断言在其他架构上：%s\n"), v.counted(s.Elsewhere))
		}
		if len(s.Models) > 0 {
			fmt.Fprintf(v.w, v.Pick("   If it were so (a model of the defect): %s\n", "   假如属实（缺陷的模型）：%s\n"), v.counted(s.Models))
			v.evidence(s.Models)
		}
	}
	if ran {
		fmt.Fprintf(v.w, v.Pick("\n%d statements: %d wrong, %d right, %d not decided by this run, %d decided by reading.\n", "\n%d 条陈述：%d 条错误，%d 条正确，%d 条本次运行未判定，%d 条由阅读源码判定。\n"),
			len(all), counts[article.Wrong], counts[article.Right], counts[article.Not], counts[article.ByReading])
	}
}

// evidence lists outcomes with what was observed, and where.
func (v articleView) evidence(outcomes []verdict.Outcome) {
	for _, o := range outcomes {
		said := string(o.Status)
		switch first, _, _ := strings.Cut(o.Reason, "\n"); {
		case o.Expected != "":
			said += fmt.Sprintf(v.Pick(": expected %s, observed %s", "：预期 %s，实际 %s"), o.Expected, o.Observed)
		case first != "":
			said += v.Pick(": ", "：") + first
		}
		where := strings.TrimSpace(o.Where.Path + " " + o.Where.Step)
		fmt.Fprintln(v.w, strings.TrimRight(fmt.Sprintf("     %s %s  %s  %s", o.Claim, o.Cell, said, where), " "))
	}
}

// counted counts outcomes by what they say.
func (v articleView) counted(outcomes []verdict.Outcome) string {
	c := verdict.Count(outcomes)
	return fmt.Sprintf(v.Pick("%d hold, %d fail, %d do not apply, %d were not decided", "%d 条成立，%d 条失败，%d 条不适用，%d 条未判定"), c.Pass, c.Fail, c.Unsupported, c.Error+c.NotRun)
}

func (v articleView) word(a article.Answer) string {
	switch a {
	case article.Wrong:
		return v.Pick("the statement is wrong", "该陈述错误")
	case article.Right:
		return v.Pick("the statement is right", "该陈述正确")
	}
	return v.Pick("not decided", "未判定")
}
