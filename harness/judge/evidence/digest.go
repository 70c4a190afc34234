package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Digest returns a hash of every file of a run's folder and its name, except those whose
// names are given: the reports, which are made of the others.
func Digest(dir fs.FS, except ...string) (string, error) {
	all := sha256.New()
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir() || slices.Contains(except, name):
			return err
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is a %v, and evidence has regular files alone", name, d.Type())
		}
		f, err := dir.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		one := sha256.New()
		if _, err := io.Copy(one, f); err != nil {
			return err
		}
		fmt.Fprintf(all, "%x  %s\n", one.Sum(nil), name)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("hash the evidence: %w", err)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}
