// Command pack makes the packages of a release out of static programs that make dist wrote:
// .deb, .rpm, an image of containers and a bill of materials. The same programs give the same
// bytes: every time in them is SOURCE_DATE_EPOCH, in seconds since 1970.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	var r release
	flag.StringVar(&r.Dir, "dir", "dist", "folder with the programs, mapstack-linux-ARCH; the packages go there")
	flag.StringVar(&r.Man, "man", "", "folder with the manual pages, as they lie below /usr/share/man")
	flag.StringVar(&r.License, "license", "LICENSE", "file of the license")
	flag.StringVar(&r.Version, "version", "", "version of the packages")
	flag.Parse()
	if err := pack(r, os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// release is what the packages are made of, and what they have in common.
type release struct {
	Dir, Man, License string
	Version           string
	Time              time.Time // every time in a package
	Programs          []program // sorted by their architectures
}

// program is the static program for hosts of an architecture.
type program struct {
	Path string
	Arch string // GOARCH
}

// prefix begins the name of every program; its architecture follows.
const prefix = "mapstack-linux-"

// pack writes all packages of all programs. epoch is the time in seconds since 1970.
func pack(r release, epoch string) error {
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds <= 0 {
		return fmt.Errorf("SOURCE_DATE_EPOCH is %q: set it to the seconds since 1970 of the release", epoch)
	}
	if r.Version == "" {
		return errors.New("-version is missing")
	}
	r.Time = time.Unix(seconds, 0).UTC()
	if r.Programs, err = programs(r.Dir); err != nil {
		return err
	}
	for _, p := range r.Programs {
		if err := r.packages(p); err != nil {
			return fmt.Errorf("make the packages of %s: %w", p.Path, err)
		}
		if err := r.write("mapstack-"+p.Arch+".spdx.json", func(f *os.File) error { return r.bill(p, f) }); err != nil {
			return fmt.Errorf("write the bill of materials of %s: %w", p.Path, err)
		}
	}
	if err := r.write("mapstack-oci.tar", r.image); err != nil {
		return fmt.Errorf("make the image of containers: %w", err)
	}
	return nil
}

// programs returns the programs in a folder. One at least must be there.
func programs(dir string) ([]program, error) {
	paths, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		return nil, err
	}
	var all []program
	for _, path := range paths {
		all = append(all, program{path, strings.TrimPrefix(filepath.Base(path), prefix)})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no %sARCH: make dist writes it", dir, prefix)
	}
	slices.SortFunc(all, func(a, b program) int { return strings.Compare(a.Arch, b.Arch) })
	return all, nil
}

// write makes a file of the release, and says so. What is there already is replaced.
func (r release) write(name string, content func(*os.File) error) error {
	path := filepath.Join(r.Dir, name)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(content(f), f.Close()); err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}
