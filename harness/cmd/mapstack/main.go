// Command mapstack runs the conformance suites over the matrix of cells.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
)

// init keeps the watcher of diagnose on the main thread, which is the tracer. Until main
// begins the runtime does so itself; later it takes several threads to find that one, and
// there may be none left.
func init() {
	if watches() {
		runtime.LockOSThread()
	}
}

func main() {
	if watches() {
		os.Exit(exitCode(watcher(os.Args[2])))
	}
	if secondTime {
		asBefore()
	}
	ctx := context.Background()
	// diagnose must begin where there are few threads left, and each handler costs some.
	if len(os.Args) < 2 || os.Args[1] != "diagnose" {
		ctx = untilSignal(ctx)
	}
	cmd := root()
	cmd.SetOut(foreign.Writer(os.Stdout))
	cmd.SetErr(foreign.Writer(os.Stderr))
	os.Exit(forBisect(os.Args, exitCode(cmd.ExecuteContext(ctx))))
}

// watches reports whether this process is the watcher of diagnose.
func watches() bool { return len(os.Args) == 3 && os.Args[1] == watcherName }

// untilSignal returns a context that a signal ends. A second signal has its default
// action: it ends the process.
func untilSignal(ctx context.Context) context.Context {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx
}

// exitCode prints the error of a command and returns the exit status for it.
func exitCode(err error) int {
	var code exitError
	var failed *failure.Failure
	switch {
	case err == nil:
		return verdict.ExitConformant
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "mapstack:", foreign.Lines(inLanguage(spoken(os.Args[1:], language.Of(os.Getenv)), err)))
	if errors.As(err, &failed) && !failed.Ours() {
		return verdict.ExitIncomplete // the kernel caused it, or somebody stopped the run
	}
	return verdict.ExitInfrastructure
}

// exitSkip tells git bisect that a kernel cannot be tested.
const exitSkip = 125

// forBisect returns the exit status for a command line: with --exit bisect, git bisect run would
// take every other status than 0 and 125 for a bad kernel, also that of a mistyped option.
func forBisect(args []string, code int) int {
	for i, arg := range args {
		if arg == "--exit=bisect" || arg == "--exit" && i+1 < len(args) && args[i+1] == "bisect" {
			if code != verdict.ExitConformant && code != verdict.ExitNonConformant {
				return exitSkip
			}
		}
	}
	return code
}

// exitError is the exit status of a command that has shown its result already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
