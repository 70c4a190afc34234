// Package described gives a JSON schema that was inferred from Go types the comments of their
// fields, and compares a published schema with it. It is for tests.
package described

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
)

// Describe gives each property the comment of its field.
func Describe(s *jsonschema.Schema, t reflect.Type, comment map[string]string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case s.Items != nil:
		Describe(s.Items, t.Elem(), comment)
	case t.Kind() == reflect.Map:
		Describe(s.AdditionalProperties, t.Elem(), comment)
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
			Describe(p, f.Type, comment)
		}
	}
}

// Comments returns the comment of each field of the packages in some folders, by Type.Field.
func Comments(t testing.TB, folders ...string) map[string]string {
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

// Open lets every object have fields that the schema does not name. A map keeps the schema of
// its values.
func Open(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Properties) > 0 {
		s.AdditionalProperties = nil
	}
	for _, p := range s.Properties {
		Open(p)
	}
	Open(s.Items)
	Open(s.AdditionalProperties)
}

// Published fails the test if the file of a published schema is not the one given. With update
// it writes the file first. advice says what else to do where they differ; "" for nothing.
func Published(t *testing.T, file string, s *jsonschema.Schema, update bool, advice string) {
	t.Helper()
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs; run with -update if that is meant%s:\n%s", file, advice, d)
	}
}
