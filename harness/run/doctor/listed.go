package doctor

import (
	"fmt"
	"os"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/mapstack/conformance/harness/matrix/matrixfile"
	"github.com/mapstack/conformance/harness/run/subject"
)

// Listed checks that the files which cells of a matrix file name are there. It reads none of
// them.
func Listed(cells []subject.Listed) (found []Finding) {
	for _, c := range cells {
		for _, f := range []struct {
			what string
			from *matrixfile.Source
		}{{"kernel", c.Kernel}, {"image", c.Image}, {"keyring", file(c.Keyring)}, {"firmware", file(c.Firmware)}, {"guest agent", file(c.GuestAgent)},
			{"password file", file(c.PasswordFile)}, {"repository", file(c.Repository)}} {
			if f.from == nil {
				continue
			}
			is := there(f.what+" of "+c.Name, *f.from, c.Place)
			if f.what == "repository" && c.Suite != "" {
				is.State += strings.TrimRight(fmt.Sprintf(", suite %s %s", c.Suite, strings.Join(c.Components, " ")), " ") + ", package " + c.Package
			}
			found = append(found, is)
		}
		if c.Target != "" {
			found = append(found, Finding{What: "target of " + c.Name, State: c.Target + "; a run connects to it"})
		}
	}
	return found
}

// file returns a path as the place of a file; nil for none.
func file(path string) *matrixfile.Source {
	if path == "" {
		return nil
	}
	return &matrixfile.Source{Path: path}
}

// there says whether a file is there. place is the line that names it.
func there(what string, s matrixfile.Source, place string) Finding {
	f := Finding{What: what}
	switch {
	case s.URL != "":
		f.State = fmt.Sprintf("%s, %s; a run or fetch downloads it unless the cache has it", s.Base(), humanize.IBytes(uint64(s.Size)))
		return f
	case strings.Contains(s.Path, "://"):
		f.State = s.Path
		return f
	}
	info, err := os.Stat(s.Path)
	switch {
	case err != nil:
		f.State, f.Remedy = err.Error(), "put the file there, or correct "+place
	case info.IsDir():
		f.State = s.Path
	default:
		f.State = fmt.Sprintf("%s, %s", s.Path, humanize.IBytes(uint64(info.Size())))
	}
	return f
}
