package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/mapstack/conformance/harness/diagnose"
	"github.com/mapstack/conformance/harness/diagnose/watch"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// exitRefused is the exit status of diagnose --pid if something was refused.
const exitRefused = 1

// diagnosis holds the flags of `mapstack diagnose`.
type diagnosis struct {
	pid      int
	json     bool
	language string
	output   string
}

func diagnoseCommand() *cobra.Command {
	var d diagnosis
	cmd := &cobra.Command{
		Use: "diagnose {--pid PID | -- CMD [ARGS...]}", Short: "Say why a program on this host gets no thread",
		Long: "diagnose starts the program CMD, or attaches to the process PID, and watches it by ptrace. When the kernel\n" +
			"refuses a thread or a process, diagnose says which limit was hit, where the limit is set, and which command\n" +
			"raises it. If the program cannot be traced, diagnose judges by its error messages or its limits, and says\n" +
			"what tracing needs.\n\n" +
			"With CMD this process becomes the program, and another one watches it and all that it starts, to their end. Its\n" +
			"six tasks count against the limits of the same user; as root it leaves the program's control groups. The program\n" +
			"stops only at calls that a limit can refuse. With --pid, below a seccomp filter, or before Linux 4.8 it stops at\n" +
			"every call, and runs slower. For a user other than root, set-user-ID programs that CMD starts do not get their\n" +
			"user, as below every tracer.\n\n" +
			"The diagnosis goes to standard error with CMD, and to standard output with --pid.\n\n" +
			"Exit status with CMD: that of the program, or the signal that ended it. 69 if there is no such program, or no\n" +
			"room to watch it. Exit status with --pid, once the program has ended or after Ctrl-C:\n\n" +
			"  0   nothing was refused, or the program recovered\n" +
			"  1   something was refused, or a limit is used up\n" +
			"  2   it could not be determined\n" +
			"  69  there is no such program",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return d.run(cmd, args) },
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().IntVar(&d.pid, "pid", 0, "watch this process instead of starting one")
	cmd.Flags().BoolVar(&d.json, "json", false, "write the diagnosis as JSON on one line, with the text in both languages")
	cmd.Flags().StringVar(&d.language, "lang", "", "language of the diagnosis, en or zh (default: that of LC_ALL, LC_MESSAGES or LANG)")
	cmd.Flags().StringVarP(&d.output, "output", "o", "", "write the diagnosis to this file")
	return cmd
}

func (d diagnosis) run(cmd *cobra.Command, args []string) error {
	if (d.pid != 0) == (len(args) > 0) || d.pid < 0 {
		return errors.New("diagnose needs either --pid PID or -- CMD, such as: mapstack diagnose -- ./program")
	}
	language := diagnose.LanguageOf(os.Getenv)
	if d.language != "" {
		language = diagnose.ParseLanguage(d.language)
	}
	to := cmd.ErrOrStderr()
	if d.pid != 0 {
		to = cmd.OutOrStdout()
	}
	s := d.session(to, language)
	if d.pid != 0 {
		// timeout(1) and some shells send a signal twice. The second one must not end this
		// process before it has told its report.
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		defer signal.Stop(again)
		o, err := s.Attach(untilSignal(cmd.Context()), d.pid)
		return attachedExit(o, err)
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	program := watch.Program{Path: path, Args: args, Env: os.Environ()}
	err = d.launch(program, language)
	var cramped *watch.NoRoomError
	if errors.As(err, &cramped) {
		return s.Refuse(args, cramped)
	}
	if !errors.Is(err, watch.ErrForbidden) {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	s.Signals = unsent(signals)
	// The program decides what a signal does. This command ends when the program ends.
	return d.listen(cmd.Context(), s, program, err)
}

// session returns a diagnosis that tells its report where it was asked for.
func (d diagnosis) session(to io.Writer, language diagnose.Language) diagnose.Session {
	return diagnose.Session{
		Root:      os.DirFS("/"),
		Installed: func(tool string) bool { _, err := exec.LookPath(tool); return err == nil },
		Log:       diagnose.KernelLog,
		Tell:      func(r diagnose.Report) error { return d.tell(r, to, language) },
	}
}

// tell writes the report where it was asked for.
func (d diagnosis) tell(r diagnose.Report, to io.Writer, language diagnose.Language) (err error) {
	if d.output != "" {
		r.Again = false // the file has the last report alone
		file, err := os.Create(d.output)
		if err != nil {
			return fmt.Errorf("write the diagnosis: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		to = file
	}
	if d.json && d.output == "" && d.pid == 0 {
		// What the program wrote to the same stream may lack the end of its line.
		if _, err := io.WriteString(to, "\n"); err != nil {
			return fmt.Errorf("write the diagnosis: %w", err)
		}
	}
	return r.Write(to, language, d.json)
}

// unsent passes on the signals that the program has not got already. The keys of a terminal
// send SIGINT and SIGQUIT to all processes in its foreground.
func unsent(all <-chan os.Signal) <-chan os.Signal {
	passed := make(chan os.Signal)
	go func() {
		for s := range all {
			if (s == syscall.SIGINT || s == syscall.SIGQUIT) && foreground() {
				continue
			}
			passed <- s
		}
	}()
	return passed
}

func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// programExit returns the exit status of the program as an error; nil for 0.
func programExit(status syscall.WaitStatus) error {
	switch {
	case status.Signaled():
		return exitError(128 + int(status.Signal()))
	case status.ExitStatus() != 0:
		return exitError(status.ExitStatus())
	}
	return nil
}

func attachedExit(o diagnose.Outcome, err error) error {
	switch {
	case err != nil:
		return err
	case o.Verdict == "refused", o.Verdict == "exhausted":
		return exitError(exitRefused)
	case o.Verdict == "unknown":
		return exitError(verdict.ExitIncomplete)
	}
	return nil
}
