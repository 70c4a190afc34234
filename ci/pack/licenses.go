package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/module"
)

// licenseFile is the name of a file that a license asks to be passed on.
var licenseFile = regexp.MustCompile(`(?i)^(LICEN[CS]E|COPYING|NOTICE|COPYRIGHT)`)

// licenses returns the licenses of everything that a program was built of. Most of them ask that
// their text goes with the program. They are read where the go command keeps the modules.
func licenses(p program) ([]byte, error) {
	info, err := buildinfo.ReadFile(p.Path)
	if err != nil {
		return nil, err
	}
	said, err := exec.Command("go", "env", "GOMODCACHE", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("ask the go command for its folders: %w", err)
	}
	cache, goroot, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	var text bytes.Buffer
	if err := licensesIn(&text, "Go "+info.GoVersion, goroot); err != nil {
		return nil, err
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		path, err := module.EscapePath(m.Path)
		if err != nil {
			return nil, err
		}
		version, err := module.EscapeVersion(m.Version)
		if err != nil {
			return nil, err
		}
		if err := licensesIn(&text, m.Path+" "+m.Version, filepath.Join(cache, filepath.FromSlash(path)+"@"+version)); err != nil {
			return nil, err
		}
	}
	return text.Bytes(), nil
}

// licensesIn appends the license files of a folder, below the name of what it holds.
func licensesIn(to *bytes.Buffer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for the license of %s: %w", name, err)
	}
	found := false
	for _, e := range entries {
		if e.IsDir() || !licenseFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		found = true
		fmt.Fprintf(to, "==== %s: %s\n\n%s\n\n", name, e.Name(), bytes.TrimSpace(text))
	}
	if !found {
		return errors.New(name + " has no file with its license: find out what it asks for before you publish packages")
	}
	return nil
}
