package workbench

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
)

// environment returns a function that reads the NAME=VALUE pairs, and then getenv. Every pair
// must name a part of an architecture that no archive has.
func environment(pairs []string, getenv func(string) string) (func(string) string, error) {
	set := map[string]string{}
	for _, text := range pairs {
		name, value, err := part(text)
		if err != nil {
			return nil, err
		}
		set[name] = value
	}
	return func(name string) string {
		if value, ok := set[name]; ok {
			return value
		}
		return getenv(name)
	}, nil
}

// part splits a NAME=VALUE pair, and checks that NAME is the variable of a part.
func part(text string) (name, value string, err error) {
	var names []string
	for _, goarch := range arch.Names() {
		rec, err := arch.Lookup(goarch)
		if err != nil || !rec.Supplied {
			continue
		}
		if name, value, err := local.Setting(rec, text); err == nil {
			return name, value, nil
		}
		names = append(names, local.Variables(rec)...)
	}
	return "", "", fmt.Errorf("--supply %q supplies nothing; give NAME=VALUE, where NAME is one of %s", text, strings.Join(names, ", "))
}
