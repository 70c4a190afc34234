package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mapstack/conformance/harness/matrix"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/run/bisect"
	"github.com/mapstack/conformance/harness/run/subject"
	"github.com/mapstack/conformance/harness/run/workbench"
	"github.com/mapstack/conformance/harness/source/intake"
)

// candidate is a kernel that a search may test.
type candidate struct {
	bisect.Kernel
	names  []string // words for it besides the path and the name of its file
	series string   // of a package; empty for a file, which nobody has opened yet
	// choose gets the kernel for a run.
	choose func(context.Context, runFlags) (chosen, error)
}

// list returns the kernels that the arguments name, in their order.
func (f *bisectFlags) list(ctx context.Context, args []string) ([]candidate, error) {
	word := args[0]
	repository := len(args) == 1 && intake.IsRepository(word)
	if (f.arch != "" || f.keyring != "") && !repository {
		return nil, errors.New("--arch and --keyring are about a yum repository; leave them out")
	}
	_, err := os.Stat(word)
	switch {
	case repository:
		return f.packages(ctx, func(bench *workbench.Bench) ([]subject.Package, error) {
			return subject.Kernel{File: word, Arch: f.arch, Keyring: f.keyring}.Packages(ctx, bench)
		})
	case len(args) > 1 || err == nil || strings.ContainsRune(word, filepath.Separator):
		return f.files(args)
	}
	builtin, err := (&selection{Selection: matrix.Selection{All: true}}).cells()
	if err != nil {
		return nil, err
	}
	one, err := f.named(word, builtin)
	if err != nil {
		return nil, err
	}
	return f.packages(ctx, func(bench *workbench.Bench) ([]subject.Package, error) {
		if l, ok := one.(subject.Listed); ok {
			return l.Packages(ctx, bench, builtin)
		}
		return subject.Archived(ctx, bench, one.(subject.Cell).Cell, builtin)
	})
}

// named returns the cell of that name, or the first cell of that architecture.
func (f *bisectFlags) named(word string, builtin []matrix.Cell) (subject.Subject, error) {
	s := selection{Selection: matrix.Selection{Cell: word}, matrix: f.matrix, discovers: true}
	c, err := s.chosen()
	if err != nil {
		rec, unknown := arch.Lookup(word)
		if unknown != nil {
			return nil, fmt.Errorf("%s is no file, no cell and no architecture: %w", word, err)
		}
		i := slices.IndexFunc(builtin, func(c matrix.Cell) bool {
			return c.Arch == rec.GOARCH && c.Kernel.From == matrix.Archive && c.Tier == "" && c.Group == ""
		})
		if i < 0 {
			return nil, fmt.Errorf("the archive has no kernels of %s; give a folder of kernels", rec.GOARCH)
		}
		return subject.Cell{Cell: builtin[i]}, nil
	}
	if len(c.subjects) != 1 {
		return nil, fmt.Errorf("%s names %d cells; name one", word, len(c.subjects))
	}
	switch one := c.subjects[0].(type) {
	case subject.Cell, subject.Listed:
		return one, nil
	}
	return nil, fmt.Errorf("%s is no cell with a kernel of its own; name one that mapstack list shows", word)
}

// files returns the kernels of a folder, sorted by the versions in their names, or the files as
// they were given.
func (f *bisectFlags) files(args []string) ([]candidate, error) {
	paths, err := listed(args)
	if err != nil {
		return nil, err
	}
	var all []candidate
	for _, path := range paths {
		sum, err := hashOf(path)
		if err != nil {
			return nil, err
		}
		all = append(all, candidate{Kernel: bisect.Kernel{File: path, SHA256: sum}, choose: func(_ context.Context, run runFlags) (chosen, error) {
			if run.Kernel = path; run.file() == "" {
				run.Kernel = "." + string(filepath.Separator) + path // else it would be a series
			}
			return run.subjects()
		}})
	}
	return all, nil
}

// packages returns the kernels of an archive or a repository. None is downloaded before it is
// tested.
func (f *bisectFlags) packages(ctx context.Context, find func(*workbench.Bench) ([]subject.Package, error)) ([]candidate, error) {
	shown := progress.Discard
	show := func(work func() error) error {
		d := f.talk.display()
		defer d.Close()
		shown = d.Sink
		defer func() { shown = progress.Discard }()
		return work()
	}
	var found []subject.Package
	err := show(func() error {
		s := selection{offline: f.offline, locked: f.locked}
		o := s.options(func(e progress.Event) { shown(e) })
		o.Guestless = true
		bench, err := workbench.Open(ctx, o)
		if err == nil {
			found, err = find(bench)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []candidate
	for _, p := range found {
		name, _, _ := strings.Cut(p.File, "_") // of Debian's packages
		all = append(all, candidate{Kernel: bisect.Kernel{File: p.File, SHA256: p.SHA256}, names: []string{p.Release, p.Version, name}, series: p.Series(),
			choose: func(ctx context.Context, _ runFlags) (c chosen, err error) {
				err = show(func() error {
					k, err := p.Obtain(ctx)
					c.subjects = []subject.Subject{k}
					return err
				})
				return c, err
			}})
	}
	return all, nil
}

// listed returns the kernels of a folder, sorted by the versions in their names, or the files
// as they were given.
func listed(args []string) ([]string, error) {
	info, err := os.Stat(args[0])
	if err != nil {
		return nil, fmt.Errorf("find the kernels: %w", err)
	}
	if len(args) > 1 || !info.IsDir() {
		return args, nil
	}
	entries, err := os.ReadDir(args[0])
	if err != nil {
		return nil, fmt.Errorf("find the kernels: %w", err)
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, filepath.Join(args[0], e.Name()))
		}
	}
	slices.SortStableFunc(files, func(a, b string) int { return intake.CompareVersions(filepath.Base(a), filepath.Base(b)) })
	return files, nil
}

// hashOf returns the SHA-256 of a kernel's file, by which a log knows it.
func hashOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the kernel: %w", err)
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", fmt.Errorf("read the kernel %s: %w; a search takes files alone", path, err)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// between returns the kernels from the good one to the bad one. The list is turned if the bad
// one comes first. Of the kernels of a series, the one that is farthest from the other end counts.
func between(all []candidate, good, bad string) ([]candidate, error) {
	ends := [2][]int{}
	for i, end := range []struct{ flag, word string }{{"good", good}, {"bad", bad}} {
		if ends[i] = matching(all, end.word); len(ends[i]) == 0 {
			return nil, fmt.Errorf("--%s %s is none of the %d kernels of the list; give %s", end.flag, end.word, len(all), answers(all))
		}
	}
	from, to := ends[0][0], ends[1][0]
	for _, f := range ends[0] {
		for _, t := range ends[1] {
			if abs(f-t) > abs(from-to) {
				from, to = f, t
			}
		}
	}
	if from == to || good == bad {
		return nil, fmt.Errorf("--good and --bad are both %s; name the two ends of the list", cmp.Or(good, all[from].File))
	}
	if from < to {
		return all[from : to+1], nil
	}
	turned := slices.Clone(all[to : from+1])
	slices.Reverse(turned)
	return turned, nil
}

func abs(n int) int { return max(n, -n) }

// matching returns the indexes of the kernels that a word names: one by its name, or those of a
// series.
func matching(all []candidate, word string) (found []int) {
	for i, c := range all {
		if filepath.Clean(c.File) == filepath.Clean(word) || filepath.Base(c.File) == word || slices.Contains(c.names, word) {
			return []int{i}
		}
		if c.series != "" && c.series == word {
			found = append(found, i)
		}
	}
	return found
}

// answers says what can be given for one of the kernels.
func answers(all []candidate) string {
	var releases []string
	for _, c := range all {
		if len(c.names) > 0 {
			releases = append(releases, c.names[0])
		}
	}
	if len(releases) == 0 {
		return "the name or the path of one"
	}
	return "a series such as " + all[0].series + ", or one of " + strings.Join(releases, ", ")
}
