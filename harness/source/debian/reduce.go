package debian

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mapstack/conformance/harness/source/decompress"
)

const (
	kernelsFile = "kernels"
	othersFile  = "others"
)

// isKernel reports in which file of a reduced index a package belongs.
func isKernel(name string) bool { return strings.HasPrefix(name, "linux-") }

func reduceFile(ctx context.Context, path string, f decompress.Format, dir string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	z, err := decompress.Reader(ctx, in, f)
	if err != nil {
		return err
	}
	defer z.Close()
	kernels, err := os.Create(filepath.Join(dir, kernelsFile))
	if err != nil {
		return err
	}
	defer kernels.Close()
	others, err := os.Create(filepath.Join(dir, othersFile))
	if err != nil {
		return err
	}
	defer others.Close()
	if err := reduce(z, kernels, others); err != nil {
		return err
	}
	if err := kernels.Close(); err != nil {
		return err
	}
	return others.Close()
}

const nameField = "Package: "

// keptFields are the fields that newPackage reads. The others take seven tenths of a
// Packages file.
var keptFields = []string{
	nameField, "Version: ", "Architecture: ", "Filename: ", "Size: ", "SHA256: ",
	"Pre-Depends: ", "Depends: ", "Provides: ",
}

// reduce copies the kept fields of every paragraph, the name first. An empty line
// ends each paragraph.
func reduce(in io.Reader, kernels, others io.Writer) error {
	lines := bufio.NewScanner(io.LimitReader(in, maxIndex+1))
	lines.Buffer(nil, maxParagraph)
	k, o := bufio.NewWriter(kernels), bufio.NewWriter(others)
	var name string
	var body []byte
	total, keep := 0, false
	flush := func() {
		if name != "" {
			w := o
			if isKernel(name) {
				w = k
			}
			// Flush returns the errors of these writes.
			_, _ = w.WriteString(nameField + name + "\n")
			_, _ = w.Write(body)
			_ = w.WriteByte('\n')
		}
		name, body, keep = "", body[:0], false
	}
	for lines.Scan() {
		line := bytes.TrimRight(lines.Bytes(), " \t\r")
		if total += len(lines.Bytes()) + 1; total > maxIndex {
			return fmt.Errorf("it is larger than the %d bytes allowed here", maxIndex)
		}
		switch {
		case len(line) == 0:
			flush()
		case line[0] == ' ' || line[0] == '\t':
			// A folded field; joined, so that each field is one line.
			if keep && len(body) > 0 {
				body = append(append(body[:len(body)-1], line...), '\n')
			}
		default:
			field, isKept := kept(line)
			keep = isKept && field != nameField
			if field == nameField {
				name = string(line[len(nameField):])
			} else if isKept {
				body = append(append(body, line...), '\n')
			}
		}
		if len(body) > maxParagraph {
			return fmt.Errorf("package %.80q takes more than the %d bytes allowed here", name, maxParagraph)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	flush()
	if err := k.Flush(); err != nil {
		return err
	}
	return o.Flush()
}

func kept(line []byte) (string, bool) {
	for _, f := range keptFields {
		if bytes.HasPrefix(line, []byte(f)) {
			return f, true
		}
	}
	return "", false
}
