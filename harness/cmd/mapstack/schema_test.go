package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mapstack/conformance/fixtures"
	"github.com/mapstack/conformance/harness/judge/evidence"
	"github.com/mapstack/conformance/harness/judge/report"
)

// judgedLab returns the report of every run that the fixtures hold.
func judgedLab(t *testing.T) []report.Report {
	t.Helper()
	folders := []fs.FS{fixtures.Recorded()}
	names, err := fs.Glob(fixtures.Lab(), "*/run.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d runs in fixtures/lab, %v", len(names), err)
	}
	for _, name := range names {
		folder, err := fs.Sub(fixtures.Lab(), path.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		folders = append(folders, folder)
	}
	rules, err := loadRules()
	if err != nil {
		t.Fatal(err)
	}
	var all []report.Report
	for _, folder := range folders {
		run, cells, err := evidence.LoadFS(folder)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rules.judge(run, cells)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestReportsFollowThePublishedSchema fails if a program that trusts the schema could not
// read a real report, or if the schema accepts what no report is.
func TestReportsFollowThePublishedSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "..", "docs", "report-"+report.Schema+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(r report.Report) map[string]any {
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if err := json.Unmarshal(b.Bytes(), &document); err != nil {
			t.Fatal(err)
		}
		return document
	}
	reports := judgedLab(t)
	for _, r := range reports {
		if err := schema.Validate(read(r)); err != nil {
			t.Errorf("%s: %v", r.Cells[0].Name, err)
		}
	}
	first := func(d map[string]any) map[string]any { return d["outcomes"].([]any)[0].(map[string]any) }
	for name, change := range map[string]func(map[string]any){
		"schema":   func(d map[string]any) { d["schema"] = "1" },
		"cells":    func(d map[string]any) { delete(d, "cells") },
		"status":   func(d map[string]any) { first(d)["status"] = "as known" },
		"level":    func(d map[string]any) { first(d)["level"] = "must" },
		"exitCode": func(d map[string]any) { d["verdict"].(map[string]any)["exitCode"] = "0" },
	} {
		document := read(reports[0])
		change(document)
		if err := schema.Validate(document); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	newer := read(reports[0])
	first(newer)["later"] = true
	if err := schema.Validate(newer); err != nil {
		t.Errorf("a new field does not change the version, and the schema refuses it: %v", err)
	}
}
