package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"
)

const (
	summary  = "test whether Linux kernels treat Go's threads right"
	homepage = "https://github.com/mapstack/conformance"
	// maintainer has an address that cannot receive mail. Who publishes packages puts an own one here.
	maintainer = "mapstack <mapstack@example.org>"
	// description has one sentence a line, as Debian and RPM show it.
	description = `mapstack boots real kernels under QEMU and runs small programs in them.
It judges what these saw against numbered claims about MAP_STACK, mmap and
clone, and writes reports with the evidence behind every result.
The guests' programs are inside. QEMU and kernels are downloaded by mapstack
itself, from the archive that apt is configured for, and are checked.`
)

// licensesAt is the file with the licenses of what is in the program.
const licensesAt = "/usr/share/doc/mapstack/licenses"

// overrides says to lintian why the package differs from its advice.
//
//go:embed lintian-overrides
var overrides []byte

// file is one file of a package whose content pack has made.
type file struct {
	at      string
	content []byte
}

// packages writes the .deb and the .rpm of a program.
func (r release) packages(p program) error {
	scratch, err := os.MkdirTemp("", "pack")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	manual, err := r.manual()
	if err != nil {
		return err
	}
	others, err := licenses(p)
	if err != nil {
		return err
	}
	common := append(manual, file{licensesAt + ".gz", compressed(others)})
	copyright, err := r.copyright()
	if err != nil {
		return err
	}
	debian := append([]file{
		{"/usr/share/doc/mapstack/changelog.gz", compressed(r.changesDebian())},
		{"/usr/share/doc/mapstack/copyright", copyright},
		{"/usr/share/lintian/overrides/mapstack", overrides},
	}, common...)
	for _, kind := range []struct {
		make interface {
			nfpm.Packager
			ConventionalFileName(*nfpm.Info) string
		}
		files []file
		of    string // a .deb does not know the kinds of an .rpm
	}{{deb.Default, debian, files.TypeFile}, {rpm.DefaultRPM, common, files.TypeRPMDoc}} {
		folder, err := os.MkdirTemp(scratch, "")
		if err != nil {
			return err
		}
		info, err := r.info(p, kind.files, kind.of, folder)
		if err != nil {
			return err
		}
		name := kind.make.ConventionalFileName(info)
		if err := r.write(name, func(f *os.File) error { return kind.make.Package(info, f) }); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// info describes a package with the program and some files of a kind. Their content is kept in
// scratch until the package is made.
func (r release) info(p program, made []file, kind, scratch string) (*nfpm.Info, error) {
	add := func(source, at, kind string, mode fs.FileMode) *files.Content {
		return &files.Content{Source: source, Destination: at, Type: kind,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: r.Time}}
	}
	contents := files.Contents{add(p.Path, "/usr/bin/mapstack", files.TypeFile, 0o755),
		add(r.License, "/usr/share/licenses/mapstack/LICENSE", files.TypeRPMLicense, 0o644)}
	for _, f := range made {
		source := filepath.Join(scratch, filepath.FromSlash(f.at))
		if err := errors.Join(os.MkdirAll(filepath.Dir(source), 0o755), os.WriteFile(source, f.content, 0o644)); err != nil {
			return nil, err
		}
		contents = append(contents, add(source, f.at, kind, 0o644))
	}
	history := filepath.Join(scratch, "changelog.yaml")
	if err := os.WriteFile(history, r.changesRPM(), 0o644); err != nil {
		return nil, err
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "mapstack", Arch: p.Arch, Platform: "linux", Version: r.Version, VersionSchema: "none",
		Section: "devel", Priority: "optional", Maintainer: maintainer, Description: summary + "\n" + description,
		Homepage: homepage, License: "Apache-2.0", MTime: r.Time, DisableGlobbing: true,
		Overridables: nfpm.Overridables{
			Contents: contents,
			Umask:    0o022,
			// The dpkg and the rpm of old systems read gzip. xz would save a tenth, and take a minute.
			Deb: nfpm.Deb{Compression: "gzip"},
			// Of the host that makes the package nothing may show.
			RPM: nfpm.RPM{BuildHost: "localhost", Group: "Development/Tools", Summary: strings.ToUpper(summary[:1]) + summary[1:], Compression: "gzip"},
		},
	})
	if kind == files.TypeRPMDoc {
		info.Changelog = history // the .deb has a file of its own
	}
	return info, nil
}

// manual returns the manual pages, compressed.
func (r release) manual() ([]file, error) {
	var all []file
	if r.Man == "" {
		return nil, errors.New("-man is missing")
	}
	err := fs.WalkDir(os.DirFS(r.Man), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(r.Man, name))
		all = append(all, file{"/usr/share/man/" + name + ".gz", compressed(text)})
		return err
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s has no manual pages", r.Man)
	}
	return all, err
}

// compressed returns a text as gzip has it, without a name and a time.
func compressed(text []byte) []byte {
	var to bytes.Buffer
	w, err := gzip.NewWriterLevel(&to, gzip.BestCompression)
	if err != nil {
		panic(err) // fails only for an invalid level
	}
	if _, err := w.Write(text); err != nil {
		panic(err) // a buffer takes everything
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return to.Bytes()
}

// changes is the one entry of the changelogs, because git has the rest.
const changes = "Packaged from its repository, which has the history."

// changesDebian returns the changelog in Debian's format.
func (r release) changesDebian() []byte {
	return fmt.Appendf(nil, "mapstack (%s) unstable; urgency=medium\n\n  * %s\n\n -- %s  %s\n",
		r.Version, changes, maintainer, r.Time.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
}

// changesRPM returns the changelog as the library reads it, which makes that of the .rpm of it.
func (r release) changesRPM() []byte {
	return fmt.Appendf(nil, "- semver: %s-1\n  date: %s\n  packager: %s\n  changes:\n    - note: %s\n",
		r.Version, r.Time.Format(time.RFC3339), maintainer, changes)
}

// copyright is in Debian's machine-readable format.
func (r release) copyright() ([]byte, error) {
	text, err := os.ReadFile(r.License)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(text), "Apache License") {
		return nil, fmt.Errorf("%s is not the Apache License, which the packages name", r.License)
	}
	return []byte(`Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: mapstack
Source: ` + homepage + `

Files: *
Copyright: 2026 the authors of mapstack
License: Apache-2.0
 On Debian systems, the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
Comment:
 The program is static, and has libraries of others in it. Their licenses are in
 ` + licensesAt + `.gz.
`), nil
}
