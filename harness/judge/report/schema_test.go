package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mapstack/conformance/harness/internal/described"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// schemaFile is the published schema of the document, beside its description.
var schemaFile = filepath.Join("..", "..", "..", "docs", "report-"+Schema+".schema.json")

// TestThePublishedSchemaIsThatOfTheTypes fails if a field is added, renamed or described
// otherwise, and the published schema does not follow.
func TestThePublishedSchemaIsThatOfTheTypes(t *testing.T) {
	got, err := json.MarshalIndent(published(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs; run with -update if that is meant, and read what docs/reports.md promises about schema %s:\n%s", schemaFile, Schema, d)
	}
}

// published infers the schema from the types, with their comments as descriptions. A new
// field does not change the version, so that a reader must accept fields that it does not know.
func published(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.For[Report](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[verdict.Status]():  enum(verdict.Pass, verdict.Fail, verdict.Error, verdict.Unsupported, verdict.NotRun),
		reflect.TypeFor[verdict.Level]():   enum(verdict.Must, verdict.Should, verdict.May),
		reflect.TypeFor[verdict.Verdict](): enum(verdict.Conformant, verdict.NonConformant, verdict.Incomplete),
	}})
	if err != nil {
		t.Fatal(err)
	}
	open(s)
	described.Describe(s, reflect.TypeFor[Report](), described.Comments(t, ".", filepath.Join("..", "verdict")))
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "mapstack report, schema " + Schema
	var version any = Schema
	s.Properties["schema"].Const = &version
	return s
}

func enum[T ~string](values ...T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, v)
	}
	return s
}

// open lets every object have fields that the schema does not name. A map keeps the schema of
// its values.
func open(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Properties) > 0 {
		s.AdditionalProperties = nil
	}
	for _, p := range s.Properties {
		open(p)
	}
	open(s.Items)
	open(s.AdditionalProperties)
}

// TestNoFieldIsWithoutASchema fails if the document has a field that the types do not declare.
func TestNoFieldIsWithoutASchema(t *testing.T) {
	closed, err := jsonschema.For[Report](nil)
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := closed.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(render(t, newReport(false)), &document); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(document); err != nil {
		t.Error(err)
	}
}
