// Command faults shows what a run of mapstack does when something goes wrong around it. Every
// trial injects one fault into a run over real kernels: it kills a process, fills a disk,
// damages the cache, or takes memory or the mirror away. Then it checks that the run accused no
// kernel and left nothing behind, and that the next run has the outcomes of an undisturbed one.
// The trials follow from a seed.
//
// It must run in the root of the checkout, as root: it mounts file systems and makes control
// groups. Its mounts and processes are in namespaces of its own and end with it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// inside names, in the environment of the process in the namespaces, the folder to work in.
const inside = "MAPSTACK_FAULTS_DIR"

func main() {
	runs := flag.Int("runs", 200, "how many trials to make")
	from := flag.Int("from", 0, "number of the first trial, to repeat one")
	seed := flag.Uint64("seed", 1, "what the trials follow from")
	only := flag.String("kind", "", "only these kinds of faults (comma-separated)")
	clock := flag.Duration("clock", 0, "also set the clock of this machine, by up to so much; every program here sees it")
	write := flag.String("write", "", "write the table to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if dir := os.Getenv(inside); dir == "" {
		err = enter(ctx)
	} else {
		err = all(ctx, dir, *seed, *from, *runs, *clock, *only, *write)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// enter starts this program again in namespaces of its own, where it is the first process: the
// kernel ends all the others with it.
func enter(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("faults mounts file systems and makes control groups; run it as root")
	}
	dir, err := os.MkdirTemp("", "mapstack-faults-")
	if err != nil {
		return err
	}
	defer os.Remove(dir) // what is mounted there is gone
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}

// all makes the trials, and shows and writes their table. A signal ends it after a trial.
func all(ctx context.Context, dir string, seed uint64, from, runs int, clock time.Duration, only, write string) error {
	kinds := slices.Clone(kinds)
	if clock > 0 {
		kinds = append(kinds, clockJumps(clock))
	}
	if only != "" {
		kinds = slices.DeleteFunc(kinds, func(k kind) bool { return !slices.Contains(strings.Split(only, ","), k.name) })
	}
	if len(kinds) == 0 {
		return fmt.Errorf("--kind %q names no kind of fault", only)
	}
	r, err := newRig(dir)
	if err != nil {
		return err
	}
	defer r.close()
	counts := tally{}
	n := from
	for ; n < from+runs && ctx.Err() == nil; n++ {
		t := r.trial(seed, n, kinds[n%len(kinds)])
		s := t.run()
		counts.add(t.kind.name, s)
		fmt.Printf("%d %s: %s\n", n, t.kind.name, strings.ReplaceAll(s.String(), "\n", "\n    "))
		if len(s.defects) > 0 {
			if err := r.restore(); err != nil {
				return err
			}
		}
	}
	table := counts.markdown(kinds, seed, from, n)
	fmt.Print(table)
	if write != "" {
		if err := renameio.WriteFile(write, []byte(table), 0o644); err != nil {
			return err
		}
	}
	if n := counts.defects(); n > 0 {
		return fmt.Errorf("%d trials showed a defect", n)
	}
	return nil
}
