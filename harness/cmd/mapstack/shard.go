package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/run/shard"
	"github.com/mapstack/conformance/harness/run/subject"
)

// share returns the subjects of this machine's shard; all of them without --shard.
func (o *onward) share(all []subject.Subject) ([]subject.Subject, error) {
	if o.interrupted != nil {
		return o.sharedBefore(all)
	}
	if o.shard == "" {
		if o.durations != "" {
			return nil, fmt.Errorf("--durations %s shares cells out among shards, and there is no --shard; leave it out", o.durations)
		}
		return all, nil
	}
	index, of, err := shard.Parse(o.shard, os.Getenv)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range all {
		name := nameOf(s)
		if name == "" {
			return nil, fmt.Errorf("--shard %s divides cells of the matrix, and this run tests something else, as a whole; leave it out", o.shard)
		}
		names = append(names, name)
	}
	seconds, err := o.seconds(names)
	if err != nil {
		return nil, err
	}
	parts, err := shard.Split(names, seconds, of)
	if err != nil {
		return nil, fmt.Errorf("--shard %s: %w", o.shard, err)
	}
	o.part = &evidence.Shard{Index: index, Of: of, Cells: names}
	return only(all, parts[index-1]), nil
}

// sharedBefore returns the subjects of the shard that the interrupted run is. What shared them
// out need not be there any more.
func (o *onward) sharedBefore(all []subject.Subject) ([]subject.Subject, error) {
	was := o.interrupted.Run.Shard
	if o.shard != "" {
		index, of, err := shard.Parse(o.shard, os.Getenv)
		if err != nil {
			return nil, err
		}
		if is := (evidence.Shard{Index: index, Of: of}); was == nil || was.String() != is.String() {
			return nil, fmt.Errorf("--resume %s: it is not shard %s; leave --shard out", o.resume, is)
		}
	}
	if was == nil {
		return all, nil
	}
	o.part = was
	var names []string
	for _, c := range o.interrupted.Run.Cells {
		names = append(names, c.Name)
	}
	return only(all, names), nil
}

// nameOf returns the name of a subject's cell; "" if that is not known before it is bound.
func nameOf(s subject.Subject) string {
	switch s := s.(type) {
	case subject.Cell:
		return s.Name
	case subject.Planner:
		return s.Planned().Name
	}
	return ""
}

// only returns the subjects with one of the names.
func only(all []subject.Subject, names []string) []subject.Subject {
	return slices.DeleteFunc(slices.Clone(all), func(s subject.Subject) bool { return !slices.Contains(names, nameOf(s)) })
}

// seconds returns how long the cells took in the run or report that --durations names; nil
// without it. The cache of this machine is not asked: every shard must come to the same parts.
func (o *onward) seconds(cells []string) (map[string]float64, error) {
	if o.durations == "" {
		return nil, nil
	}
	file := o.durations
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, reportFile)
	}
	b, err := evidence.ReadReport(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	if err != nil {
		return nil, fmt.Errorf("read --durations %s: %w; give the folder of a finished run, or its %s", file, err, reportFile)
	}
	var r report.Report
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read --durations %s: %w", file, err)
	}
	known := maps.Clone(r.Header.Seconds)
	maps.DeleteFunc(known, func(cell string, _ float64) bool { return !slices.Contains(cells, cell) })
	if len(known) == 0 {
		return nil, fmt.Errorf("--durations %s has no time of any of these cells; give the report of a run that had them", file)
	}
	return known, nil
}
