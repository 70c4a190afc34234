package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/language"
)

// onward holds the flags of `mapstack run` that go on with a run, run a part of one, run it several
// times, or say what it does.
type onward struct {
	resume           string
	shard, durations string
	times            int
	rerun            string
	dry              bool
	output           output // of --dry-run
	events           string

	recorded    map[string][]string   // flags that decide what is run, by name
	repeated    []evidence.Flag       // flags that a report repeats
	interrupted *evidence.Interrupted // that --resume names; nil without it
	part        *evidence.Shard       // that --shard names; nil without it
}

// flags adds the flags to a command that has all others.
func (o *onward) flags(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&o.resume, "resume", "", "go on with this interrupted run (out/<run>): what has ended in it is not run again")
	set.StringVar(&o.shard, "shard", "", "run one part of the cells: I/N (from 1), auto (GitLab, Buildkite) or auto/N (Kubernetes); mapstack merge joins the parts")
	set.StringVar(&o.durations, "durations", "", "with --shard: share the cells out by the times in this run or report, the same for all shards")
	set.IntVar(&o.times, "repeat", 1, "run everything this many times, and count the claims that are not always decided alike")
	set.StringVar(&o.rerun, "rerun-failed", "", "run again what failed or was not decided in this run (out/<run>): its cells and claims alone")
	set.BoolVar(&o.dry, "dry-run", false, "show what would run, and boot nothing; -o json for other programs")
	o.output.flags(cmd)
	set.StringVar(&o.events, "json-events", "", "write what happens as JSON, one event a line, to this file, or to a file descriptor that is open, such as 3")
	// A finished run says which cells and claims it means.
	for _, other := range []string{"resume", "shard", "arch", "cell", "skip", "kernel", "focus", "defect", "target", "os-image", "full-boot"} {
		cmd.MarkFlagsMutuallyExclusive("rerun-failed", other)
	}
	for _, other := range []string{"dry-run", "resume"} {
		cmd.MarkFlagsMutuallyExclusive("repeat", other)
	}
	cmd.MarkFlagsMutuallyExclusive("durations", "resume")
}

// unrecorded are the flags that do not decide what is run, or that a run records elsewhere.
var unrecorded = []string{"resume", "shard", "durations", "repeat", "rerun-failed", "dry-run", "json-events", "output",
	"out", "state", "list", "wide", "quiet", "verbose", "strict", "baseline", "exit", "allow-twin", "lang", "help"}

// confided are the flags that name what is run or trusted on this host. They are taken from
// nobody's folder.
var confided = []string{"supply", "guest-agent", "keyring", "matrix"}

func isConfided(flag string) bool { return slices.Contains(confided, flag) }

// asked returns the flags that decide what is run, by name.
func asked(cmd *cobra.Command) map[string][]string {
	all := map[string][]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(unrecorded, f.Name) {
			return
		}
		if list, is := f.Value.(pflag.SliceValue); is {
			all[f.Name] = list.GetSlice()
			return
		}
		all[f.Name] = []string{f.Value.String()}
	})
	return all
}

// plainly are the flags that a report repeats with their values, and hidden those that it repeats
// without: their values name files, or what is inside of them.
var (
	plainly = []string{"allow-twin", "destructive", "fresh", "full-boot", "isolate", "kernel-arg", "locked", "login", "offline", "os", "strict"}
	hidden  = []string{"firmware", "guest-agent", "kernel", "keyring", "os-image", "password-file", "supply", "vendor"}
)

// repeated returns the flags that a report repeats, sorted by name.
func repeated(cmd *cobra.Command) (all []evidence.Flag) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		hide := slices.Contains(hidden, f.Name)
		if !hide && !slices.Contains(plainly, f.Name) || f.Name == "kernel" && !strings.ContainsRune(f.Value.String(), filepath.Separator) {
			return
		}
		values := []string{f.Value.String()}
		if list, is := f.Value.(pflag.SliceValue); is {
			values = list.GetSlice()
		}
		for _, value := range values {
			given := evidence.Flag{Name: f.Name, Value: value, Hidden: hide}
			switch name, _, pair := strings.Cut(value, "="); {
			case f.Value.Type() == "bool" && value != "true":
				continue
			case f.Value.Type() == "bool":
				given.Value = ""
			case hide && f.Name == "supply" && pair:
				given.Value = name + "="
			case hide:
				given.Value = ""
			}
			all = append(all, given)
		}
	})
	return all
}

// begin finds out what the run goes on with. The returned function must be called at its end.
func (o *onward) begin(cmd *cobra.Command) (end func() error, err error) {
	end = func() error { return nil }
	if o.times < 1 || o.times > maxRepeats {
		return end, fmt.Errorf("--repeat is %d; give a number from 1 to %d", o.times, maxRepeats)
	}
	if cmd.Flags().Changed("output") && !o.dry {
		return end, errors.New("--output is about --dry-run; a run writes report.json, and --json-events says what it does")
	}
	if o.rerun != "" {
		if err := rerun(cmd, runFolder(o.rerun)); err != nil {
			return end, err
		}
	}
	o.recorded, o.repeated = asked(cmd), repeated(cmd)
	if o.resume == "" {
		return end, nil
	}
	if o.events != "" {
		if err := apart("--json-events", o.resume, o.events); err != nil {
			return end, err
		}
	}
	o.resume = runFolder(o.resume)
	if info, err := os.Stat(o.resume); err != nil || !info.IsDir() {
		return end, fmt.Errorf("--resume %s: there is no such folder; give that of an interrupted run, such as out/20260131-235959", o.resume)
	}
	i, err := evidence.Reopen(o.resume)
	if err != nil {
		return end, err
	}
	o.interrupted = &i
	if err := o.restore(cmd); err != nil {
		return end, errors.Join(fmt.Errorf("--resume %s: %w", o.resume, err), i.Folder.Close())
	}
	return i.Folder.Close, nil
}

// restore gives a command the flags of the interrupted run. It refuses others.
func (o *onward) restore(cmd *cobra.Command) error {
	recorded := o.interrupted.Flags
	for _, name := range slices.Sorted(maps.Keys(o.recorded)) {
		if !slices.Equal(o.recorded[name], recorded[name]) {
			return fmt.Errorf("the run was begun %s, and now there is %s; leave the flag out, or start a new run",
				flagText(name, recorded[name]), flagText(name, o.recorded[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		if _, is := o.recorded[name]; is {
			continue
		}
		flag := cmd.Flags().Lookup(name)
		switch {
		case isConfided(name):
			return fmt.Errorf("the run was begun %s; give that again, because a folder does not decide which files of this machine are trusted", flagText(name, recorded[name]))
		case flag == nil || slices.Contains(unrecorded, name):
			return fmt.Errorf("the run was begun %s, which this mapstack does not know; go on with the one that began it", flagText(name, recorded[name]))
		}
		for _, value := range recorded[name] {
			if err := cmd.Flags().Set(name, value); err != nil {
				return fmt.Errorf("the run was begun %s: %w", flagText(name, recorded[name]), err)
			}
		}
	}
	o.recorded, o.repeated = recorded, repeated(cmd)
	return nil
}

// flagText writes a flag as a reader would give it.
func flagText(name string, values []string) string {
	if len(values) == 0 {
		return "without --" + name
	}
	words := make([]string, len(values))
	for i, value := range values {
		words[i] = fmt.Sprintf("--%s %.200q", name, value)
	}
	return "with " + strings.Join(words, " ")
}

// rest returns the probes that are still to be run, by cell.
func (o *onward) rest(probes map[string][]string) map[string][]string {
	if o.interrupted == nil {
		return probes
	}
	rest := maps.Clone(probes)
	for _, c := range o.interrupted.Cells {
		rest[c.Cell.Name] = slices.DeleteFunc(slices.Clone(rest[c.Cell.Name]), func(probe string) bool {
			_, ran := c.Runs[probe]
			return ran || c.Ended()
		})
	}
	return rest
}

// toGoOn returns what else a run says at its end: how to go on if it was stopped, and what
// joins it with the other shards; "" for nothing.
func (o *onward) toGoOn(ctx context.Context, folder string, l language.Language) string {
	text := partText(o.part, l)
	if ctx.Err() != nil {
		text += fmt.Sprintf(l.Pick("The run was stopped. To go on with it: mapstack run --resume %s\n", "运行已被停止。继续运行：mapstack run --resume %s\n"), folder)
	}
	if text != "" {
		text = "\n" + text
	}
	return text
}

// partText says that a run is a shard; "" for a whole one.
func partText(s *evidence.Shard, l language.Language) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf(l.Pick("This is shard %s. When all shards are done, join their folders: mapstack merge FOLDER...\n",
		"这是分片 %s。所有分片完成后，合并它们的目录：mapstack merge 目录...\n"), s)
}
