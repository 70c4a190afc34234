package strictyaml

import (
	"strings"
	"testing"
)

func TestFilesThatAreNoYAMLAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		"names: [a, b]": "", "names: ! ": "cannot be read as YAML", "names: {": "[1:8]", "other: 1": "unknown field",
	} {
		var into struct{ Names []string }
		switch err := Decode([]byte(text), &into); {
		case want == "" && (err != nil || len(into.Names) != 2):
			t.Errorf("%q: %v, %v", text, into, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
