package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// target is one fuzz target.
type target struct {
	dir  string // its package's folder, from the root of the checkout
	name string // of its function
}

func (t target) String() string { return t.dir + "." + t.name }

// declared matches the declaration of a fuzz target.
var declared = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(`)

// find returns the fuzz targets below a folder that match.
func find(root string, wanted *regexp.Regexp) (targets []target, err error) {
	err = fs.WalkDir(os.DirFS(root), ".", func(name string, e fs.DirEntry, err error) error {
		base := path.Base(name)
		switch {
		case err != nil:
			return err
		case e.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata"):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(base, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllSubmatch(source, -1) {
			if t := (target{path.Dir(name), string(m[1])}); wanted.MatchString(t.String()) {
				targets = append(targets, t)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the fuzz targets: %w", err)
	}
	return targets, nil
}
