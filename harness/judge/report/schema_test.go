package report

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mapstack/conformance/harness/internal/described"
	"github.com/mapstack/conformance/harness/judge/verdict"
)

// schemaFile is the published schema of the document, beside its description.
var schemaFile = filepath.Join("..", "..", "..", "docs", "report-"+Schema+".schema.json")

// TestThePublishedSchemaIsThatOfTheTypes fails if a field is added, renamed or described
// otherwise, and the published schema does not follow.
func TestThePublishedSchemaIsThatOfTheTypes(t *testing.T) {
	described.Published(t, schemaFile, published(t), *update, ", and read what docs/reports.md promises about schema "+Schema)
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
	described.Open(s)
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
