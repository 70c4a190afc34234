package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	inferred "github.com/google/jsonschema-go/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mapstack/conformance/harness/internal/described"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
)

var update = flag.Bool("update", false, "write the published schema of the matrix file")

// matrixSchema is the published schema of a matrix file, by which editors complete one.
var matrixSchema = filepath.Join("..", "..", "..", "docs", "matrix.schema.json")

// TestTheSchemaOfTheMatrixFileIsThatOfItsTypes fails if a field is added, renamed or described
// otherwise, and the published schema does not follow.
func TestTheSchemaOfTheMatrixFileIsThatOfItsTypes(t *testing.T) {
	described.Published(t, matrixSchema, ofMatrix(t), *update, "")
}

// ofMatrix infers the schema from the types, with their comments as descriptions.
func ofMatrix(t *testing.T) *inferred.Schema {
	t.Helper()
	source, err := inferred.For[matrixfile.Source](nil)
	if err != nil {
		t.Fatal(err)
	}
	rooms := filepath.Join("..", "..", "matrix")
	comments := described.Comments(t, filepath.Join(rooms, "matrixfile"), rooms, filepath.Join(rooms, "arch"))
	described.Describe(source, reflect.TypeFor[matrixfile.Source](), comments)
	text := &inferred.Schema{Type: "string"}
	oneOrMore := func(of *inferred.Schema) *inferred.Schema {
		return &inferred.Schema{AnyOf: append(append([]*inferred.Schema{}, of.AnyOf...), &inferred.Schema{Type: "array", Items: of})}
	}
	s, err := inferred.For[matrixfile.File](&inferred.ForOptions{TypeSchemas: map[reflect.Type]*inferred.Schema{
		reflect.TypeFor[matrixfile.Names]():   oneOrMore(&inferred.Schema{AnyOf: []*inferred.Schema{text}}),
		reflect.TypeFor[matrixfile.Sources](): oneOrMore(&inferred.Schema{AnyOf: []*inferred.Schema{text, source}}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	whole(s)
	described.Describe(s, reflect.TypeFor[matrixfile.File](), comments)
	s.Schema, s.Title = "https://json-schema.org/draft/2020-12/schema", "matrix file of mapstack"
	return s
}

// whole takes away that a list may be null: a field that is there has a value.
func whole(s *inferred.Schema) {
	if s == nil {
		return
	}
	if slices.Equal(s.Types, []string{"null", "array"}) {
		s.Types, s.Type = nil, "array"
	}
	for _, p := range s.Properties {
		whole(p)
	}
	whole(s.Items)
	whole(s.AdditionalProperties)
}

// TestMatrixFilesFollowThePublishedSchema fails if an editor would underline what mapstack
// reads, or would accept what it refuses.
func TestMatrixFilesFollowThePublishedSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(matrixSchema)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join("..", "..", "matrix", "matrixfile", "testdata", "whole.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		var document any
		b, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &document); err != nil {
			t.Fatal(err)
		}
		return schema.Validate(document)
	}
	// An editor takes a number without quotes for no text, and mapstack need not.
	quoted := strings.NewReplacer("series: 5.10", `series: "5.10"`, "cpus: ${CPUS}", "cpus: 4").Replace(string(whole))
	for name, text := range map[string]string{"init": matrixfile.Example(language.English), "init in Chinese": matrixfile.Example(language.Chinese), "whole.yaml": quoted} {
		if err := valid(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string][2]string{
		"a field of nobody": {"series:", "serie:"}, "a number as text": {"cpus: 2", "cpus: two"}, "no cells": {"cells:", "cell:"},
		"a claim without a reason": {"    reason: it is broken\n", ""}, "a size as text": {"size: 1", "size: big"},
	} {
		broken := strings.Replace(quoted, change[0], change[1], 1)
		if broken == quoted {
			t.Fatalf("%s: nothing was changed", name)
		}
		if valid(broken) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
