// Package strictyaml decodes YAML files of people. The library panics on some bytes that are no
// YAML, and whoever reads a file wants an error.
package strictyaml

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Decode reads YAML into a structure that has every field of it. The error shows the line.
func Decode(data []byte, into any) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = Unreadable(problem)
		}
	}()
	if err := yaml.UnmarshalWithOptions(data, into, yaml.Strict()); err != nil {
		return errors.New(yaml.FormatError(err, false, true))
	}
	return nil
}

// Unreadable returns the error of a panic of the library.
func Unreadable(problem any) error {
	return fmt.Errorf("the file cannot be read as YAML (%v); look for a value that is not indented as its neighbours are", problem)
}
