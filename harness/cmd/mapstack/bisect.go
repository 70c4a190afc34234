package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/bisect"
	"github.com/mapstack/conformance/harness/source/debian"
	"github.com/mapstack/conformance/suites"
)

// bisectFlags holds the flags of `mapstack bisect`.
type bisectFlags struct {
	talk
	good, bad, claim, log, out string
	arch, keyring, matrix      string
	offline, locked            bool
}

// bisectLong is the help of the command.
const bisectLong = "bisect tests kernels between a good and a bad one until it knows which of them changed how a claim is decided.\n" +
	"It takes one of these lists:\n" +
	"  FOLDER      the files of a folder, sorted by the versions in their names; a file is anything that run --kernel takes\n" +
	"  KERNEL...   such files in the order in which you give them\n" +
	"  CELL, ARCH  the packages of the archive that are of the flavour of a cell, or of an architecture's first cell\n" +
	"  REPOSITORY  the kernels of a yum repository, a folder or a URL, with --arch and --keyring; or a cell of a matrix file\n" +
	"Of packages, --good and --bad take a package, its version, its release, or a series such as 6.1: then the kernel of\n" +
	"it that is farthest from the other end. What is tested is downloaded, and nothing else.\n" +
	"Each test is a line of a log; what the log has is not tested again.\n" +
	"It exits with 2 if kernels that decide nothing hide the first bad one."

const bisectLongChinese = "bisect 在 good 和 bad 两个内核之间测试，直到知道是哪个内核改变了一条断言的判定。\n" +
	"它接受下列之一：\n" +
	"  FOLDER      一个目录中的文件，按文件名中的版本排序；文件可以是 run --kernel 接受的任何一种\n" +
	"  KERNEL...   若干这样的文件，按您给出的顺序\n" +
	"  CELL、ARCH  存档中与一个单元（或一个架构的第一个单元）同一变体的软件包\n" +
	"  REPOSITORY  一个 yum 仓库（目录或 URL）中的内核，需要 --arch 和 --keyring；或矩阵文件中的一个单元\n" +
	"对于软件包，--good 和 --bad 接受软件包名、其版本、其 release，或 6.1 这样的系列：此时取该系列中离另一端最远的内核。\n" +
	"只下载要测试的内核。每次测试是日志中的一行；日志中已有的不再测试。\n" +
	"如果没有判定结果的内核遮住了第一个 bad 内核，以 2 退出。"

func bisectCommand() *cobra.Command {
	var f bisectFlags
	cmd := &cobra.Command{
		Use: "bisect --good KERNEL --bad KERNEL --focus CLAIM FOLDER | KERNEL... | CELL | ARCH | REPOSITORY", Short: "Find the kernel that changed how a claim is decided",
		Long: bisectLong,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.bisect(cmd, args) },
	}
	set := cmd.Flags()
	set.StringVar(&f.good, "good", "", "the kernel at one end, which decides the claim as it should; one of the list")
	set.StringVar(&f.bad, "bad", "", "the kernel at the other end, which decides it otherwise; one of the list")
	set.StringVar(&f.claim, "focus", "", "the claim, such as MS-010")
	set.StringVar(&f.log, "log", "", "file of the session's log (default: bisect-CLAIM.log in the folder of --out)")
	set.StringVar(&f.out, "out", "out", "folder for evidence and reports")
	set.StringVar(&f.arch, "arch", "", "the architecture whose kernels of a yum repository are tested")
	set.StringVar(&f.keyring, "keyring", "", "file of the OpenPGP keys that may sign the yum repository")
	set.StringVar(&f.matrix, "matrix", "", matrixUsage)
	set.BoolVar(&f.locked, "locked", false, "accept no kernel but the one in fixtures/kernels.lock")
	set.BoolVar(&f.offline, "offline", false, offlineUsage)
	f.talk.flags(cmd)
	for _, name := range []string{"good", "bad", "focus"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is defined above
		}
	}
	return cmd
}

// bisect searches, and shows each test and what was found.
func (f *bisectFlags) bisect(cmd *cobra.Command, args []string) (err error) {
	claim, err := f.asked()
	if err != nil {
		return err
	}
	all, err := f.list(cmd.Context(), args)
	if err != nil {
		return err
	}
	if all, err = between(all, f.good, f.bad); err != nil {
		return err
	}
	if f.log == "" {
		f.log = filepath.Join(f.out, "bisect-"+claim.ID+".log")
	}
	if err := os.MkdirAll(filepath.Dir(f.log), 0o755); err != nil {
		return fmt.Errorf("make a folder for the log: %w; name a file elsewhere with --log", err)
	}
	s := bisect.Session{}
	of := map[string]candidate{}
	for _, c := range all {
		s.Kernels = append(s.Kernels, c.Kernel)
		of[c.SHA256] = c
	}
	log, known, err := bisect.OpenLog(f.log, bisect.Subject{Claim: claim.ID, Version: version})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	v := bisectView{cmd.OutOrStdout(), tongue(cmd)}
	v.begin(claim, s.Kernels)
	s.Known, s.Note = known, v.test
	s.Run = func(ctx context.Context, k bisect.Kernel) (bisect.Test, error) {
		t, err := f.test(ctx, claim.ID, of[k.SHA256])
		switch {
		case errors.Is(err, debian.ErrGone) && ctx.Err() == nil: // it is in no log: the mirror may have it another day
			return bisect.Test{SHA256: k.SHA256, File: filepath.Base(k.File), Status: verdict.Error, Reason: progress.Brief(err)}, nil
		case err != nil:
			return t, err
		}
		return t, log.Add(t)
	}
	found, err := s.Find(cmd.Context())
	if err != nil {
		return err
	}
	v.end(claim, found, f.log)
	if len(found.Skipped) > 0 {
		return statusError(verdict.ExitIncomplete)
	}
	return nil
}

// asked returns the one claim that the search is about.
func (f *bisectFlags) asked() (report.Claim, error) {
	if _, err := suites.ClaimsFor(f.claim); err != nil {
		return report.Claim{}, err
	}
	for _, c := range suites.Claims() {
		if strings.EqualFold(c.ID, strings.TrimSpace(f.claim)) {
			return c, nil
		}
	}
	return report.Claim{}, fmt.Errorf("--focus %s is no single claim; name one, such as MS-010", f.claim)
}

// test runs the claim on a kernel. Its error ends the search: a file that holds no kernel
// must be taken out of the list.
func (f *bisectFlags) test(ctx context.Context, claim string, k candidate) (bisect.Test, error) {
	t := bisect.Test{SHA256: k.SHA256, File: filepath.Base(k.File)}
	run := runFlags{focus: claim, out: f.out, selection: selection{talk: f.talk, offline: f.offline, locked: f.locked}}
	chosen, err := k.choose(ctx, run)
	if err != nil {
		return t, err
	}
	folder, _, r, err := run.report(ctx, chosen, nil)
	if ctx.Err() != nil { // a run that was stopped says nothing of its kernel
		return t, &failure.Failure{Kind: failure.Interrupted, Message: "the search was stopped; the same command goes on with it"}
	}
	if err != nil {
		return t, fmt.Errorf("%s: %w", k.File, err)
	}
	t.Evidence = folder.Path()
	for _, o := range r.Outcomes {
		if o.Claim == claim {
			t.Status, t.Expected, t.Observed = o.Status, o.Expected, o.Observed
			t.Reason, _, _ = strings.Cut(o.Reason, "\n")
		}
	}
	for _, c := range r.Cells {
		t.Release = c.Kernel.Release
	}
	return t, nil
}

// bisectView shows a search.
type bisectView struct {
	w io.Writer
	language.Language
}

func (v bisectView) begin(c report.Claim, kernels []bisect.Kernel) {
	fmt.Fprintf(v.w, v.Pick("%s %s: %s\nKernels, from the good one to the bad one: %d\n", "%s %s：%s\n内核，从 good 到 bad：%d\n"), c.ID, c.Level, v.Pick(c.English, c.Chinese), len(kernels))
	for i, k := range kernels {
		fmt.Fprintf(v.w, "%4d  %s\n", i+1, filepath.Base(k.File))
	}
	fmt.Fprintln(v.w)
}

func (v bisectView) test(t bisect.Test, a bisect.Answer, fresh bool) error {
	from := ""
	if !fresh {
		from = v.Pick(" [from the log]", "［取自日志］")
	}
	_, err := fmt.Fprintf(v.w, "%-4s  %s (%s)%s\n      %s\n", a, t.File, t.Release, from, t.Says())
	return err
}

func (v bisectView) end(c report.Claim, f bisect.Found, log string) {
	if len(f.Skipped) == 0 {
		fmt.Fprintf(v.w, v.Pick("\n%s changes at %s (%s), the kernel after %s (%s).\n", "\n%s 在 %s（%s）改变，其前一个内核是 %s（%s）。\n"),
			c.ID, f.Bad.File, f.Bad.Release, f.Good.File, f.Good.Release)
	} else {
		fmt.Fprintf(v.w, v.Pick("\n%s changes after %s (%s) and at %s (%s) or before. The kernels between them decide nothing: %d.\n", "\n%s 在 %s（%s）之后、不晚于 %s（%s）处改变。其间没有判定结果的内核：%d 个。\n"),
			c.ID, f.Good.File, f.Good.Release, f.Bad.File, f.Bad.Release, len(f.Skipped))
	}
	fmt.Fprintf(v.w, "  - %s\n  + %s\n", f.Good.Says(), f.Bad.Says())
	fmt.Fprintf(v.w, v.Pick("Evidence: %s, %s\nLog:      %s\n", "证据：%s、%s\n日志：%s\n"), f.Good.Evidence, f.Bad.Evidence, log)
}
