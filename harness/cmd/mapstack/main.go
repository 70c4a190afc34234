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
	"github.com/mapstack/conformance/harness/judge/verdict"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends the process the ordinary way.
	context.AfterFunc(ctx, stop)
	os.Exit(exitCode(root().ExecuteContext(ctx)))
}

// exitCode turns what a command returned into one of the design's numbers.
func exitCode(err error) int {
	var code exitError
	var failed *failure.Failure
	switch {
	case err == nil:
		return verdict.ExitConformant
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "mapstack:", err)
	if errors.As(err, &failed) && !failed.Ours() {
		return verdict.ExitIncomplete // the kernel's doing, or whoever stopped it
	}
	return verdict.ExitInfrastructure
}

// exitError is a result that has been shown already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
