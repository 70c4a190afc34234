package matrixfile

import (
	_ "embed"

	"github.com/mapstack/conformance/harness/language"
)

//go:embed example.yaml
var english string

//go:embed example.zh-CN.yaml
var chinese string

// Example returns a commented matrix file to begin with.
func Example(l language.Language) string { return l.Pick(english, chinese) }
