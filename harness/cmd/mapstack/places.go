package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/foreign"
)

// latestLink is the name of the link to the run that ended last, beside the folders of runs.
const latestLink = "latest"

// runFolder returns the folder of a run, which may be named by its report.json, too.
func runFolder(place string) string {
	if filepath.Base(place) != reportFile {
		return place
	}
	if info, err := os.Stat(place); err != nil || !info.Mode().IsRegular() {
		return place
	}
	return filepath.Dir(place)
}

// newestRun returns the folder of the run below out that ended last.
func newestRun(out string) (string, error) {
	folder, err := filepath.EvalSymlinks(filepath.Join(out, latestLink))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no %s, which the last run would have left; name the folder of a run, such as %s/20260131-235959", filepath.Join(out, latestLink), out)
	}
	if err != nil {
		return "", fmt.Errorf("find the newest run: %w; name its folder", err)
	}
	return folder, nil
}

// named returns the folder of the run that the arguments of a command name: without any, the
// newest one, of which it tells.
func named(cmd *cobra.Command, args []string) (string, error) {
	if len(args) > 0 {
		return runFolder(args[0]), nil
	}
	folder, err := newestRun("out")
	if err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), tongue(cmd).Pick("The newest run is %s.\n", "最新的运行是 %s。\n"), folder)
	}
	return folder, err
}

// linkLatest makes the link to a run that has ended. Something else of that name is left alone,
// and a run without a link is as good.
func linkLatest(folder string) {
	link := filepath.Join(filepath.Dir(folder), latestLink)
	info, err := os.Lstat(link)
	if err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return
	}
	if err := renameio.Symlink(filepath.Base(folder), link); err != nil {
		fmt.Fprintf(foreign.Writer(os.Stderr), "mapstack: warning: %s does not lead to this run: %v\n", link, err)
	}
}
