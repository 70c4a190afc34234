package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// againName is the first argument of this program when it has executed itself because a limit
// on tasks was nearly used up. The second one is the variable GOMAXPROCS of its user, or "".
// Like watcherName, it is not for users.
const againName = "diagnose-again"

// setting is the variable that says how many threads run Go.
const setting = "GOMAXPROCS"

// secondTime reports whether this process executed itself.
var secondTime = len(os.Args) > 3 && os.Args[1] == againName

// again executes this program anew with one thread that runs Go. By the time a command
// begins, the Go runtime has often made three threads more than it needs, and they count
// against the limit that the command was to judge. again returns only if that fails.
func again() error {
	self, err := own()
	if err != nil {
		return err
	}
	var theirs string
	env := []string{setting + "=1"}
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, setting+"=") {
			theirs = variable
		} else {
			env = append(env, variable)
		}
	}
	err = syscall.Exec(self, append([]string{os.Args[0], againName, theirs}, os.Args[1:]...), env)
	return fmt.Errorf("execute %s again: %w", self, err)
}

// asBefore gives a process that executed itself the name, the arguments and the environment
// that its user gave it.
func asBefore() {
	takeName()
	name, value, is := strings.Cut(os.Args[2], "=")
	os.Args = append(os.Args[:1], os.Args[3:]...)
	// Neither fails: the kernel gave both to this process.
	if is {
		_ = os.Setenv(name, value)
	} else {
		_ = os.Unsetenv(setting)
	}
}
