// Package described gives a JSON schema that was inferred from Go types the comments of their
// fields, for the tests that compare a published schema with its types.
package described

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

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
