// Command begun is linked with the entry of the package, and writes a line.
package main

import (
	"os"

	"github.com/mapstack/conformance/harness/diagnose/rt0"
)

func main() {
	if len(rt0.Limits) > 0 {
		_, _ = os.Stdout.WriteString("begun\n")
	}
}
