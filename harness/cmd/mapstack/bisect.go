package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/run/bisect"
	"github.com/mapstack/conformance/harness/source/intake"
	"github.com/mapstack/conformance/suites"
)

// bisectFlags holds the flags of `mapstack bisect`.
type bisectFlags struct {
	talk
	good, bad, claim, log, out string
	offline                    bool
}

func bisectCommand() *cobra.Command {
	var f bisectFlags
	cmd := &cobra.Command{
		Use: "bisect --good KERNEL --bad KERNEL --focus CLAIM FOLDER | KERNEL...", Short: "Find the kernel that changed how a claim is decided",
		Long: "bisect tests kernels between a good and a bad one until it knows which of them changed how a claim is decided.\n" +
			"It takes a folder, whose files it sorts by the versions in their names, or files in the order in which you give them.\n" +
			"A file is anything that run --kernel takes. Each test is a line of a log; what the log has is not tested again.\n" +
			"It exits with 2 if kernels that decide nothing hide the first bad one.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.bisect(cmd, args) },
	}
	set := cmd.Flags()
	set.StringVar(&f.good, "good", "", "the kernel at one end, which decides the claim as it should; one of the list")
	set.StringVar(&f.bad, "bad", "", "the kernel at the other end, which decides it otherwise; one of the list")
	set.StringVar(&f.claim, "focus", "", "the claim, such as MS-010")
	set.StringVar(&f.log, "log", "", "file of the session's log (default: bisect-CLAIM.log in the folder of --out)")
	set.StringVar(&f.out, "out", "out", "folder for evidence and reports")
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
	files, err := listed(args)
	if err != nil {
		return err
	}
	if files, err = between(files, f.good, f.bad); err != nil {
		return err
	}
	if f.log == "" {
		f.log = filepath.Join(f.out, "bisect-"+claim.ID+".log")
	}
	if err := os.MkdirAll(filepath.Dir(f.log), 0o755); err != nil {
		return fmt.Errorf("make a folder for the log: %w; name a file elsewhere with --log", err)
	}
	s := bisect.Session{}
	for _, file := range files {
		sum, err := hashOf(file)
		if err != nil {
			return err
		}
		s.Kernels = append(s.Kernels, bisect.Kernel{File: file, SHA256: sum})
	}
	log, known, err := bisect.OpenLog(f.log, bisect.Subject{Claim: claim.ID, Version: version})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	v := bisectView{cmd.OutOrStdout(), tongue(cmd)}
	v.begin(claim, files)
	s.Known, s.Note = known, v.test
	s.Run = func(ctx context.Context, k bisect.Kernel) (bisect.Test, error) {
		t, err := f.test(ctx, claim.ID, k)
		if err != nil {
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

// listed returns the kernels of a folder, sorted by the versions in their names, or the files
// as they were given.
func listed(args []string) ([]string, error) {
	info, err := os.Stat(args[0])
	if err != nil {
		return nil, fmt.Errorf("find the kernels: %w", err)
	}
	if len(args) > 1 || !info.IsDir() {
		return args, nil
	}
	entries, err := os.ReadDir(args[0])
	if err != nil {
		return nil, fmt.Errorf("find the kernels: %w", err)
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, filepath.Join(args[0], e.Name()))
		}
	}
	slices.SortStableFunc(files, func(a, b string) int { return intake.CompareVersions(filepath.Base(a), filepath.Base(b)) })
	return files, nil
}

// between returns the files from the good one to the bad one. The list is turned if the bad
// one comes first.
func between(files []string, good, bad string) ([]string, error) {
	at := func(flag, name string) (int, error) {
		for i, file := range files {
			if filepath.Clean(file) == filepath.Clean(name) || filepath.Base(file) == name {
				return i, nil
			}
		}
		return 0, fmt.Errorf("--%s %s is none of the %d kernels of the list; give the name or the path of one", flag, name, len(files))
	}
	from, err := at("good", good)
	if err != nil {
		return nil, err
	}
	to, err := at("bad", bad)
	if err != nil {
		return nil, err
	}
	if from == to {
		return nil, fmt.Errorf("--good and --bad are both %s; name the two ends of the list", files[from])
	}
	if from < to {
		return files[from : to+1], nil
	}
	turned := slices.Clone(files[to : from+1])
	slices.Reverse(turned)
	return turned, nil
}

// hashOf returns the SHA-256 of a kernel's file, by which a log knows it.
func hashOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the kernel: %w", err)
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("read the kernel %s: %w; a search takes files alone", path, err)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// test runs the claim on a kernel. Its error ends the search: a file that holds no kernel
// must be taken out of the list.
func (f *bisectFlags) test(ctx context.Context, claim string, k bisect.Kernel) (bisect.Test, error) {
	t := bisect.Test{SHA256: k.SHA256, File: filepath.Base(k.File)}
	run := runFlags{focus: claim, out: f.out, selection: selection{talk: f.talk, offline: f.offline}}
	if run.Kernel = k.File; run.file() == "" {
		run.Kernel = "." + string(filepath.Separator) + k.File // else it would be a series
	}
	chosen, err := run.subjects()
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

func (v bisectView) begin(c report.Claim, files []string) {
	fmt.Fprintf(v.w, v.Pick("%s %s: %s\nKernels, from the good one to the bad one: %d\n", "%s %s：%s\n内核，从 good 到 bad：%d\n"), c.ID, c.Level, v.Pick(c.English, c.Chinese), len(files))
	for i, file := range files {
		fmt.Fprintf(v.w, "%4d  %s\n", i+1, filepath.Base(file))
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
