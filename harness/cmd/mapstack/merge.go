package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/merge"
	"github.com/mapstack/conformance/harness/judge/report"
)

func mergeCommand() *cobra.Command {
	var out string
	var strict bool
	var drawing drawing
	cmd := &cobra.Command{
		Use: "merge DIR...", Short: "Make one run of the shards of a run",
		Long: "merge joins the evidence of finished runs (out/<run>) in a new folder, and judges it. The runs are the shards of one run,\n" +
			"or have different cells. It refuses runs that were changed or stopped, a cell that two of them have, and a cell that no\n" +
			"shard has. It exits as the whole run would.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			folders, err := expanded(args)
			if err != nil {
				return err
			}
			folder, r, err := merged(folders, out, strict)
			if err != nil {
				return err
			}
			style := drawing.style(cmd, strict)
			if err := draw(cmd, style, r); err != nil {
				return err
			}
			showPlaces(cmd.OutOrStdout(), folder.Path(), r, style.Language)
			fmt.Fprint(cmd.OutOrStdout(), end(style, r))
			return statusError(r.ExitCode(strict))
		},
	}
	cmd.Flags().StringVar(&out, "out", "merged", "folder for the evidence and the reports of the whole run")
	cmd.Flags().BoolVar(&strict, "strict", false, strictUsage)
	drawing.flags(cmd)
	return cmd
}

// expanded replaces patterns such as out/* by the folders that they match. In a container without
// a shell nobody has done so. A folder that has such a name itself is meant as it is.
func expanded(names []string) (folders []string, err error) {
	for _, name := range names {
		if _, err := os.Lstat(name); err == nil || !strings.ContainsAny(name, "*?[") {
			folders = append(folders, name)
			continue
		}
		found, err := filepath.Glob(name)
		if err != nil {
			return nil, fmt.Errorf("the pattern %q of folders: %w", name, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no folder matches %q; give the folders of finished runs, such as out/*", name)
		}
		folders = append(folders, found...)
	}
	return folders, nil
}

// merged makes one run of finished ones, in a new folder below out.
func merged(folders []string, out string, strict bool) (to evidence.Folder, r report.Report, err error) {
	if folders, err = withoutLatest(folders); err != nil {
		return to, r, err
	}
	var parts []merge.Part
	for _, folder := range folders {
		if err := apart("--out", folder, out); err != nil {
			return to, r, err
		}
		part, err := untouched(folder)
		if err != nil {
			return to, r, err
		}
		parts = append(parts, part)
	}
	whole, cells, err := merge.Join(parts)
	if err != nil {
		return to, r, err
	}
	if r, err = judge(whole, cells); err != nil {
		return to, r, err
	}
	if to, err = evidence.Create(out, time.Now()); err != nil {
		return to, r, err
	}
	for _, p := range parts {
		if err := adopt(to, p); err != nil {
			return to, r, err
		}
	}
	if err := to.WriteRun(whole); err != nil {
		return to, r, err
	}
	if r.Header.Evidence, err = digest(to.Path()); err != nil {
		return to, r, err
	}
	return to, r, writeReports(to.Path(), to.Path(), r, cells, strict)
}

// withoutLatest leaves out the link to the last run, which out/* names too, if that run is named
// itself. Archives of CI systems have a copy in the link's place, so that the evidence decides.
func withoutLatest(folders []string) (kept []string, err error) {
	var links []string
	runs := map[string]bool{}
	for _, folder := range folders {
		folder = runFolder(folder)
		if filepath.Base(folder) == latestLink {
			links = append(links, folder)
			continue
		}
		kept = append(kept, folder)
	}
	for _, folder := range kept {
		if len(links) == 0 {
			break
		}
		sum, err := digest(folder)
		if err != nil {
			return nil, err
		}
		runs[sum] = true
	}
	for _, link := range links {
		sum, err := digest(link)
		if err != nil {
			return nil, err
		}
		if !runs[sum] {
			kept, runs[sum] = append(kept, link), true
		}
	}
	return kept, nil
}

// untouched reads a finished run. It refuses one that was changed since.
func untouched(folder string) (p merge.Part, err error) {
	p.Folder = folder
	if p.Run, p.Cells, err = evidence.Load(folder); err != nil {
		return p, err
	}
	root, err := evidence.Open(folder)
	if err != nil {
		return p, err
	}
	defer root.Close()
	switch _, err := fs.Stat(root.FS(), reportFile); {
	case errors.Is(err, fs.ErrNotExist):
		return p, fmt.Errorf("%s has no %s, so that the run did not end; go on with it first: mapstack run --resume %s", folder, reportFile, folder)
	case err != nil:
		return p, fmt.Errorf("read the report: %w", err)
	}
	if _, err := replay(folder, p.Cells); err != nil {
		return p, err
	}
	r, err := judge(p.Run, p.Cells)
	if err != nil {
		return p, err
	}
	if err := compare(folder, r); err != nil {
		return p, err
	}
	if p.Flags, err = evidence.Flags(root.FS()); err != nil {
		return p, err
	}
	// These name files, which may be elsewhere on another machine. What they hold shows in the
	// evidence.
	maps.DeleteFunc(p.Flags, func(name string, _ []string) bool { return isConfided(name) || name == "vendor" })
	return p, nil
}

// adopt copies the cells of a part.
func adopt(to evidence.Folder, p merge.Part) error {
	root, err := evidence.Open(p.Folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, c := range p.Cells {
		if err := to.Adopt(root.FS(), c.Cell.Name); err != nil {
			return fmt.Errorf("%s: %w", filepath.Clean(p.Folder), err)
		}
	}
	return nil
}
