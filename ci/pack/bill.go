package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// none is what SPDX writes for something that nobody has established.
const none = "NOASSERTION"

// bill writes the bill of materials of a program, as SPDX 2.3. It lists the modules that the
// program itself says it was built of, so that it cannot differ from the program.
func (r release) bill(p program, to io.Writer) error {
	info, err := buildinfo.ReadFile(p.Path)
	if err != nil {
		return err
	}
	sum, err := sha256Of(p.Path)
	if err != nil {
		return err
	}
	program := &spdx.Package{
		PackageName: "mapstack", PackageSPDXIdentifier: "mapstack", PackageVersion: r.Version, PackageFileName: prefix + p.Arch,
		PackageDownloadLocation: none, PackageHomePage: homepage, PackageLicenseConcluded: "Apache-2.0", PackageLicenseDeclared: "Apache-2.0",
		PackageCopyrightText: none, PrimaryPackagePurpose: "APPLICATION",
		PackageChecksums: []common.Checksum{{Algorithm: common.SHA256, Value: sum}},
	}
	document := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT", DocumentName: prefix + p.Arch + "-" + r.Version,
		// The hash makes the name of every document another one, as SPDX demands.
		DocumentNamespace: homepage + "/spdx/" + prefix + p.Arch + "-" + sum,
		CreationInfo: &spdx.CreationInfo{Creators: []common.Creator{{CreatorType: "Tool", Creator: "mapstack-pack"}},
			Created: r.Time.Format("2006-01-02T15:04:05Z")},
		Packages:      []*spdx.Package{program},
		Relationships: []*spdx.Relationship{related("DOCUMENT", "DESCRIBES", "mapstack")},
	}
	add := func(path, version, comment string) {
		id := common.ElementID(identifier(path + "-" + version))
		document.Packages = append(document.Packages, &spdx.Package{
			PackageName: path, PackageSPDXIdentifier: id, PackageVersion: version, PackageDownloadLocation: none,
			PackageLicenseConcluded: none, PackageLicenseDeclared: none, PackageCopyrightText: none, PackageComment: comment,
			PackageExternalReferences: []*spdx.PackageExternalReference{{Category: common.CategoryPackageManager,
				RefType: common.TypePackageManagerPURL, Locator: "pkg:golang/" + path + "@" + version}},
		})
		document.Relationships = append(document.Relationships, related("mapstack", "DEPENDS_ON", id))
	}
	add("stdlib", strings.TrimPrefix(info.GoVersion, "go"), "The library and the runtime of Go. The programs of the guests, which are inside, have nothing else.")
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		add(m.Path, m.Version, "go.sum: "+m.Sum)
	}
	w := json.NewEncoder(to)
	w.SetIndent("", "\t")
	return w.Encode(document)
}

// related says how two elements belong together.
func related(a common.ElementID, how string, b common.ElementID) *spdx.Relationship {
	return &spdx.Relationship{RefA: common.DocElementID{ElementRefID: a}, Relationship: how, RefB: common.DocElementID{ElementRefID: b}}
}

// identifier replaces what an identifier of SPDX must not have: it takes letters, digits,
// dots and hyphens.
func identifier(name string) string {
	return strings.Map(func(c rune) rune {
		if c == '.' || c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
			return c
		}
		return '-'
	}, name)
}

// sha256Of returns the hash of a file, in hexadecimal.
func sha256Of(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
