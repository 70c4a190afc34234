package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	inferred "github.com/google/jsonschema-go/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/internal/described"
	"github.com/mapstack/conformance/harness/judge/report"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/progress"
	"github.com/mapstack/conformance/harness/progress/events"
	"github.com/mapstack/conformance/harness/run/doctor"
)

// outputsFile is the published schema of what commands write for other programs.
var outputsFile = filepath.Join("..", "..", "..", "docs", "output.schema.json")

// outputs are the documents by the names that they have in the schema, each with the command that
// writes it and its type.
var outputs = map[string]struct {
	command string
	of      reflect.Type
}{
	"list":    {"mapstack list [KIND] -o json", reflect.TypeFor[listing]()},
	"doctor":  {"mapstack doctor -o json", reflect.TypeFor[examined]()},
	"cache":   {"mapstack cache -o json", reflect.TypeFor[cached]()},
	"version": {"mapstack version -o json", reflect.TypeFor[versions]()},
	"fetch":   {"mapstack fetch --list -o json", reflect.TypeFor[needed]()},
	"dryRun":  {"mapstack run --dry-run -o json", reflect.TypeFor[planned]()},
	"watch":   {"mapstack watch --list -o json", reflect.TypeFor[noticed]()},
	"event":   {"each line of mapstack run --json-events", reflect.TypeFor[events.Line]()},
}

// TestTheSchemaOfTheOutputsIsThatOfTheirTypes fails if a field is added, renamed or described
// otherwise, and the published schema does not follow.
func TestTheSchemaOfTheOutputsIsThatOfTheirTypes(t *testing.T) {
	described.Published(t, outputsFile, ofOutputs(t), *update, "")
}

// ofOutputs infers the schema from the types, with their comments as descriptions. A new field does
// not change the version, so that a reader must accept fields that it does not know.
func ofOutputs(t *testing.T) *inferred.Schema {
	t.Helper()
	at := func(parts ...string) string {
		return filepath.Join(append([]string{"..", ".."}, parts...)...)
	}
	all := &inferred.Schema{Schema: "https://json-schema.org/draft/2020-12/schema", Title: "what mapstack writes for other programs, schema " + outputSchema,
		Description: "Each document has its schema in $defs.", Defs: map[string]*inferred.Schema{
			"verdict": {Description: "What `mapstack verdict -o json` writes: a report.", Ref: "report-" + report.Schema + ".schema.json"}}}
	comments := described.Comments(t, at("judge", "report"), at("judge", "verdict"), // first, because others have types of the same names
		at("run", "doctor"), at("run", "workbench"), at("cache"), at("progress", "events"), at("matrix"), at("matrix", "arch"), at("matrix", "osname"), ".")
	for name, o := range outputs {
		s, err := inferred.ForType(o.of, &inferred.ForOptions{})
		if err != nil {
			t.Fatal(err)
		}
		whole(s)
		described.Open(s)
		described.Describe(s, o.of, comments)
		s.Description = "What `" + o.command + "` writes."
		if strings.HasPrefix(o.command, "each line of ") {
			s.Description = "What each line of `" + strings.TrimPrefix(o.command, "each line of ") + "` is."
		}
		var version any = outputSchema
		s.Properties["schema"].Const = &version
		all.Defs[name] = s
	}
	return all
}

// TestOutputsFollowThePublishedSchema fails if a program that trusts the schema could not read what a
// command writes, or if the schema accepts what no command writes.
func TestOutputsFollowThePublishedSchema(t *testing.T) {
	checked := map[string]bool{}
	compiler := jsonschema.NewCompiler()
	follows := func(name, text string) error {
		t.Helper()
		schema, err := compiler.Compile(outputsFile + "#/$defs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, text)
		}
		checked[name] = true
		return schema.Validate(document)
	}
	written := writtenOutputs(t)
	for name, texts := range written {
		for _, text := range texts {
			if err := follows(name, text); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name := range outputs {
		if !checked[name] {
			t.Errorf("nothing that is %s was checked", name)
		}
	}
	for name, change := range map[string][3]string{
		"another schema":  {"version", `"schema": "1"`, `"schema": "9"`},
		"no revision":     {"version", `"revision"`, `"revisions"`},
		"a text as count": {"doctor", `"missing": 1`, `"missing": "1"`},
		"no list":         {"doctor", `"findings": [`, `"found": [`},
		"a null list":     {"watch", `"same": []`, `"same": null`},
		"a text as size":  {"cache", `"limitBytes": `, `"limitBytes": "x", "was": `},
		"no stage":        {"event", `"stage"`, `"stages"`},
		"a half report":   {"verdict", `"outcomes"`, `"results"`},
	} {
		text := written[change[0]][0]
		broken := strings.Replace(text, change[1], change[2], 1)
		if broken == text {
			t.Fatalf("%s: nothing was changed in\n%.2000s", name, text)
		}
		if follows(change[0], broken) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// writtenOutputs returns what commands write, by the names of the schema.
func writtenOutputs(t *testing.T) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for path, text := range map[string]string{
		"qemu-system-x86_64": "#!/bin/sh\necho QEMU emulator version 10.0.2\n",
		"mapstack.yaml":      "cells:\n- {name: mine, arch: amd64, kernel: ./vmlinuz, params: [{value: quiet, reason: of a test}]}\n- {name: gone, kernel: ./gone}\n- {name: board, target: 'ssh://root@board.invalid'}\n",
		"vmlinuz":            "no kernel",
	} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string][]string{}
	add := func(name string, args ...string) {
		t.Helper()
		var out, said bytes.Buffer
		cmd := root()
		cmd.SetArgs(append(args, "-o", "json"))
		cmd.SetOut(&out)
		cmd.SetErr(&said)
		err := cmd.ExecuteContext(t.Context())
		var code exitError
		if err != nil && !errors.As(err, &code) || out.Len() == 0 {
			t.Fatalf("%v: %v\n%s", args, err, &said)
		}
		all[name] = append(all[name], out.String())
	}
	for _, kind := range kindNames() {
		add("list", "list", kind, "--matrix", "none")
	}
	file := filepath.Join(dir, "mapstack.yaml")
	add("list", "list", "--matrix", file)
	add("list", "list", "--os", "kylin")
	add("version", "version")
	add("fetch", "fetch", "--list", "--offline", "--cell", "amd64-debian12-6.1,amd64-debian13-6.12")
	add("dryRun", "run", "--dry-run", "--offline", "--cell", "amd64-debian12-6.1,s390x-debian12-6.1", "--shard", "1/2")
	add("dryRun", "run", "--dry-run", "--offline", "--matrix", file, "--cell", "mine,gone")
	add("watch", "watch", "--list", "--matrix", file, "--state", filepath.Join(dir, "state.json"))
	add("verdict", "verdict", filepath.Join("..", "..", "..", "fixtures", "recorded"), "--strict")
	add("doctor", "doctor", "--offline", "--matrix", file)

	c, err := cache.Open("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Dir(t.Context(), "test", "key", func(_ context.Context, dir string) error { return os.WriteFile(filepath.Join(dir, "x"), nil, 0o644) }); err != nil {
		t.Fatal(err)
	}
	add("cache", "cache")
	var found bytes.Buffer
	if _, err := writeFindings(&found, []doctor.Finding{{What: "KVM", State: "no"}, {What: "Go", State: "not in PATH", Remedy: "install it"}}, language.English); err != nil {
		t.Fatal(err)
	}
	all["doctor"] = slices.Insert(all["doctor"], 0, found.String())
	var lines bytes.Buffer
	w := events.NewWriter(&lines)
	w.Sink(progress.Event{Stage: progress.Download, What: "linux-image", Done: 5, Total: 70})
	w.Sink(progress.Event{Cell: "a", Stage: progress.Finished, What: string(verdict.Incomplete), End: true, Err: errors.New("it died")})
	w.Sink(progress.Event{Stage: progress.Whole, Done: 1, Total: 2, Left: 171.5})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(lines.String()) {
		all["event"] = append(all["event"], line)
	}
	return all
}
