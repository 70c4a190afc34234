package cache

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// manifest lists the files that were built, to detect damage.
type manifest struct {
	Version int             `json:"version"`
	Files   map[string]file `json:"files"` // by slash-separated path below the tree
}

// manifestVersion must change when old manifests are no longer valid.
const manifestVersion = 1

// file is one entry of a tree. Directories have only a mode.
type file struct {
	Mode   fs.FileMode `json:"mode"`
	Size   int64       `json:"size,omitempty"`
	SHA256 string      `json:"sha256,omitempty"`
	Target string      `json:"target,omitempty"` // of a symbolic link
}

func treeOf(entry string) string     { return filepath.Join(entry, "tree") }
func manifestOf(entry string) string { return filepath.Join(entry, "manifest.json") }

// survey walks the tree of entry. It leaves hashes empty. moved holds the regular
// files whose time differs from checked.
func survey(entry string) (seen map[string]file, moved []string, err error) {
	root := treeOf(entry)
	seen = make(map[string]file)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f := file{Mode: info.Mode()}
		switch {
		case info.Mode().IsRegular():
			f.Size = info.Size()
			if !info.ModTime().Equal(checked) {
				moved = append(moved, filepath.ToSlash(rel))
			}
		case info.Mode()&fs.ModeSymlink != 0:
			if f.Target, err = os.Readlink(path); err != nil {
				return err
			}
		case !info.IsDir():
			return fmt.Errorf("%s is a %s; only files, directories and symbolic links can be cached", rel, info.Mode().Type())
		}
		seen[filepath.ToSlash(rel)] = f
		return nil
	})
	return seen, moved, err
}

func writeManifest(entry string) error {
	files, _, err := survey(entry)
	if err != nil {
		return err
	}
	for name, f := range files {
		if !f.Mode.IsRegular() {
			continue
		}
		path := filepath.Join(treeOf(entry), filepath.FromSlash(name))
		if f.SHA256, err = hashFile(path); err != nil {
			return err
		}
		// One fixed time for all files: with its own time, a file that is overwritten
		// within the clock's granularity would keep it.
		if err := os.Chtimes(path, checked, checked); err != nil {
			return err
		}
		files[name] = f
	}
	data, err := json.Marshal(manifest{manifestVersion, files})
	if err != nil {
		return err
	}
	return os.WriteFile(manifestOf(entry), data, 0o644)
}

// treeWhole reports whether the tree is exactly as the manifest says. A file with
// the right size and the fixed time is trusted. One with another time is hashed.
func treeWhole(entry string) bool {
	data, err := os.ReadFile(manifestOf(entry))
	if err != nil {
		return false
	}
	var want manifest
	if json.Unmarshal(data, &want) != nil || want.Version != manifestVersion {
		return false
	}
	got, moved, err := survey(entry)
	if err != nil || len(got) != len(want.Files) {
		return false
	}
	for name, w := range want.Files {
		g, ok := got[name]
		if !ok || g.Mode != w.Mode || g.Size != w.Size || g.Target != w.Target {
			return false
		}
	}
	for _, name := range moved {
		sum, err := hashFile(filepath.Join(treeOf(entry), filepath.FromSlash(name)))
		if err != nil || sum != want.Files[name].SHA256 {
			return false
		}
	}
	return true
}
