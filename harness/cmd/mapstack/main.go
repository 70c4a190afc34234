// Command mapstack runs the conformance suites over the matrix of cells.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mapstack/conformance/harness/failure"
	"github.com/mapstack/conformance/harness/foreign"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal has its default action: it ends the process.
	context.AfterFunc(ctx, stop)
	cmd := root()
	cmd.SetOut(foreign.Writer(os.Stdout))
	cmd.SetErr(foreign.Writer(os.Stderr))
	os.Exit(exitCode(cmd.ExecuteContext(ctx)))
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
	fmt.Fprintln(os.Stderr, "mapstack:", foreign.Lines(err.Error()))
	if errors.As(err, &failed) && !failed.Ours() {
		return verdict.ExitIncomplete // the kernel caused it, or somebody stopped the run
	}
	return verdict.ExitInfrastructure
}

// exitError is the exit status of a command that has shown its result already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
