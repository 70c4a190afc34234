package report

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

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
	describe(s, reflect.TypeFor[Report](), comments(t, ".", filepath.Join("..", "verdict")))
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

// describe gives each property the comment of its field.
func describe(s *jsonschema.Schema, t reflect.Type, comment map[string]string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case s.Items != nil:
		describe(s.Items, t.Elem(), comment)
	case t.Kind() == reflect.Map:
		describe(s.AdditionalProperties, t.Elem(), comment)
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if p := s.Properties[name]; p != nil {
			owner := t
			if len(f.Index) > 1 { // of an embedded type
				owner = t.Field(f.Index[0]).Type
			}
			p.Description = comment[owner.Name()+"."+f.Name]
			describe(p, f.Type, comment)
		}
	}
}

// comments returns the comment of each field of the packages in some folders, by Type.Field.
func comments(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				spec, is := n.(*ast.TypeSpec)
				if !is {
					return true
				}
				if body, is := spec.Type.(*ast.StructType); is {
					for _, field := range body.Fields.List {
						text := strings.Join(strings.Fields(field.Doc.Text()+field.Comment.Text()), " ")
						for _, name := range field.Names {
							all[spec.Name.Name+"."+name.Name] = text
						}
					}
				}
				return false
			})
		}
	}
	return all
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
