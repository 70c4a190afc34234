package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

// TestAProgramGetsItsEnvironmentAfterASecondExecution fails if diagnose, which executes itself
// again where tasks are few, starts a program with its own GOMAXPROCS or without its user's.
func TestAProgramGetsItsEnvironmentAfterASecondExecution(t *testing.T) {
	for _, theirs := range []string{"", "GOMAXPROCS=3", "GOMAXPROCS="} {
		program := []string{"sh", "-c", `echo "${GOMAXPROCS-unset} $0 $1"`, "a", "b c"}
		cmd := exec.Command(os.Args[0], slices.Concat([]string{againName, theirs, "diagnose", "--json", "--"}, program)...)
		cmd.Env = append(os.Environ(), asMain+"=1", "GOMAXPROCS=1")
		out, err := cmd.Output()
		want := map[string]string{"": "unset a b c\n", "GOMAXPROCS=3": "3 a b c\n", "GOMAXPROCS=": " a b c\n"}[theirs]
		if err != nil || string(out) != want {
			t.Errorf("after %q the program said %q, not %q (%v)", theirs, out, want, err)
		}
	}
}
