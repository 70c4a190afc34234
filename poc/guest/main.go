// Command guest is the agent and every probe in one program. One copy of the Go
// runtime then serves all of them: the guest image is small, and an emulator
// translates it once.
//
// The name by which it is started, argv[0], says which of them it is. A copy or a
// hard link that is named after a probe is that probe. A program with another
// runtime is named "probe-variant".
//
// poc/sysconf is a program of its own, because it needs modules.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

// init keeps main on the first thread of its process, the only one that some tracers follow.
// The runtime lets go of that thread when init has returned, and where a machine of two CPUs
// is busy, another thread may go on with main. Nobody traces the agent.
func init() {
	if name := filepath.Base(os.Args[0]); name != "agent" && name != "init" {
		runtime.LockOSThread()
	}
}

func main() {
	name := filepath.Base(os.Args[0])
	if main, ok := lookup(name); ok {
		main()
		return
	}
	var names []string
	for name := range programs() {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintf(os.Stderr, "no program is called %q; name a hard link or a copy of this file after one of: %s\n", name, strings.Join(names, " "))
	os.Exit(2)
}

// lookup returns the main function of a program, or of the program that a runtime
// variant is made of.
func lookup(name string) (func(), bool) {
	if i := strings.IndexByte(name, '-'); i >= 0 {
		name = name[:i]
	}
	main, ok := programs()[name]
	return main, ok
}
