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
				asked, runs, err := evidence.Load(runFolder(args[1]))
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
		if !ran || s.Read != nil {
			continue
		}
		fmt.Fprintf(v.w, "   %s%s%s\n", s.Who(a.Arch, v.Language), v.Pick(": ", "："), s.Answer(s.Decides).In(v.Language))
		v.evidence(s.Decides)
		if len(s.Elsewhere) > 0 {
			fmt.Fprintf(v.w, v.Pick("   The same claims on other architectures: %s\n", "   同样的断言在其他架构上：%s\n"), article.Counted(s.Elsewhere, v.Language))
		}
		if len(s.Models) > 0 {
			fmt.Fprintf(v.w, v.Pick("   If it were so (a model of the defect): %s\n", "   假如属实（缺陷的模型）：%s\n"), article.Counted(s.Models, v.Language))
			v.evidence(s.Models)
		}
	}
	if ran {
		fmt.Fprintf(v.w, "\n%s\n", article.Counts(all, v.Language))
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
