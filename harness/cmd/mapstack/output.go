package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mapstack/conformance/harness/foreign"
)

// outputSchema is the version of what the commands write with -o json. It changes when a field
// changes its meaning or goes away; a new field does not change it. verdict writes a report,
// which has a version of its own. docs/output.schema.json has the schemas.
const outputSchema = "1"

// output holds the flag that says in which form a command writes its result.
type output struct{ form string }

func (o *output) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.form, "output", "o", "text", "form of the output: text, or json for other programs")
}

// json reports whether the result is for other programs.
func (o *output) json() (bool, error) {
	switch o.form {
	case "text":
		return false, nil
	case "json":
		return true, nil
	}
	return false, fmt.Errorf("--output is %q; give text or json", o.form)
}

// writeJSON writes a value for other programs. A terminal that shows it is safe, too.
func writeJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err = w.Write(append(foreign.JSON(b), '\n'))
	return err
}

// list returns a list that is never null in JSON.
func list[T any](s []T) []T { return append([]T{}, s...) }
