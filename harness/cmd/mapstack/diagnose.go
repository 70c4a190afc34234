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
	"github.com/mapstack/conformance/harness/language"
)

// exitRefused is the exit status of diagnose --pid if something was refused.
const exitRefused = 1

// diagnosis holds the flags of `mapstack diagnose`.
type diagnosis struct {
	pid    int
	json   bool
	output string
	after  afterwards
}

func diagnoseCommand() *cobra.Command {
	var d diagnosis
	cmd := &cobra.Command{
		Use: "diagnose {-- CMD [ARGS...] | --pid PID | --from LOG | --facts}", Short: "Say why a program on this host gets no thread",
		Long: diagnoseLong,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return d.run(cmd, args) },
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().IntVar(&d.pid, "pid", 0, "watch this process instead of starting one")
	cmd.Flags().BoolVar(&d.json, "json", false, "write the diagnosis as JSON on one line, with the text in both languages")
	cmd.Flags().StringVarP(&d.output, "output", "o", "", "write the diagnosis to this file")
	d.after.flags(cmd)
	return cmd
}

func (d diagnosis) run(cmd *cobra.Command, args []string) error {
	if err := d.check(args); err != nil {
		return err
	}
	language := tongue(cmd)
	if d.after.asked() {
		return d.to(cmd.OutOrStdout(), func(to io.Writer) error {
			if d.after.facts {
				return d.after.writeFacts(to)
			}
			return d.after.judge(cmd.InOrStdin(), to, language, d.json)
		})
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
		var untried error
		if !secondTime {
			untried = again()
		}
		return errors.Join(s.Refuse(args, cramped), untried)
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
func (d diagnosis) session(to io.Writer, language language.Language) diagnose.Session {
	return diagnose.Session{
		Root:      os.DirFS("/"),
		Installed: func(tool string) bool { _, err := exec.LookPath(tool); return err == nil },
		Log:       diagnose.KernelLog,
		Tell:      func(r diagnose.Report) error { return d.tell(r, to, language) },
	}
}

// check returns an error unless one thing was asked for.
func (d diagnosis) check(args []string) error {
	asked := 0
	for _, one := range []bool{d.pid != 0, len(args) > 0, d.after.from != "", d.after.facts} {
		if one {
			asked++
		}
	}
	switch {
	case asked != 1 || d.pid < 0:
		return errors.New("diagnose needs one of -- CMD, --pid PID, --from LOG and --facts, such as: mapstack diagnose -- ./program")
	case d.after.hostFacts != "" && d.after.from == "":
		return errors.New("--host-facts needs --from LOG, whose causes it weighs")
	}
	return nil
}

// tell writes the report where it was asked for.
func (d diagnosis) tell(r diagnose.Report, to io.Writer, language language.Language) error {
	if d.output != "" {
		r.Again = false // the file has the last report alone
	}
	return d.to(to, func(to io.Writer) error {
		if d.json && d.output == "" && d.pid == 0 {
			// What the program wrote to the same stream may lack the end of its line.
			if _, err := io.WriteString(to, "\n"); err != nil {
				return fmt.Errorf("write the diagnosis: %w", err)
			}
		}
		return r.Write(to, language, d.json)
	})
}

// to calls write with the file that was asked for, or with another place.
func (d diagnosis) to(place io.Writer, write func(io.Writer) error) (err error) {
	if d.output == "" {
		return write(place)
	}
	file, err := os.Create(d.output)
	if err != nil {
		return fmt.Errorf("write the diagnosis: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return write(file)
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

// diagnoseLong is the help of diagnose.
const diagnoseLong = "diagnose starts the program CMD, or attaches to the process PID, and watches it by ptrace. When the kernel\n" +
	"refuses a thread or a process, diagnose says which limit was hit, where the limit is set, and which command\n" +
	"raises it. If the program cannot be traced, diagnose judges by its error messages or its limits, and says\n" +
	"what tracing needs.\n\n" +
	"With CMD this process becomes the program, and another one watches it and all that it starts, to their end. Its\n" +
	"six tasks count against the limits of the same user; as root it leaves the program's control groups. The program\n" +
	"stops only at calls that a limit can refuse. With --pid, below a seccomp filter, or before Linux 4.8 it stops at\n" +
	"every call, and runs slower. For a user other than root, set-user-ID programs that CMD starts do not get their\n" +
	"user, as below every tracer.\n\n" +
	"With --from, diagnose reads what a program, its service manager or the kernel wrote when it was too late. It\n" +
	"lists the likely causes, with what speaks for and against each on this host now. For a log of another host,\n" +
	"run diagnose --facts -o FILE there, and add --host-facts FILE here.\n\n" +
	"The diagnosis goes to standard error with CMD, and else to standard output.\n\n" +
	"Exit status with CMD: that of the program, or the signal that ended it. 69 if there is no such program, or no\n" +
	"room to watch it. Exit status with --pid, once the program has ended or after Ctrl-C:\n\n" +
	"  0   nothing was refused, or the program recovered\n" +
	"  1   something was refused, or a limit is used up\n" +
	"  2   it could not be determined\n" +
	"  69  there is no such program\n\n" +
	"Exit status with --from: 1 if the log tells of a refusal, 2 if not, 69 if it cannot be read."
