package workbench

import (
	"fmt"
	"strings"

	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/matrix/local"
)

// environment returns the environment as getenv knows it, after what the NAME=VALUE pairs
// say. Every pair must name a part of an architecture that no archive has.
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

// part takes a NAME=VALUE pair apart.
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
	return "", "", fmt.Errorf("--supply %q supplies nothing; give NAME=VALUE with one of %s", text, strings.Join(names, ", "))
}
