package poc_test

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// newest is the minor version of Go whose standard library guests may use.
const newest = 16

// api maps a name that was exported after Go 1.16, such as "os/exec.Cmd.WaitDelay",
// to the minor version that added it.
type api map[string]int

// readAPI reads Go's own lists of the names that each release exports.
func readAPI(t *testing.T) api {
	t.Helper()
	goroot, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("find Go's own files: %v", err)
	}
	dir := filepath.Join(strings.TrimSpace(string(goroot)), "api")
	files, err := filepath.Glob(filepath.Join(dir, "go1*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`^go1(?:\.([0-9]+))?\.txt$`)
	newer, old, latest := api{}, map[string]bool{}, 0
	for _, file := range files {
		m := version.FindStringSubmatch(filepath.Base(file))
		if m == nil {
			continue
		}
		minor := 0
		if m[1] != "" {
			minor, _ = strconv.Atoi(m[1])
		}
		latest = max(latest, minor)
		names, err := readNames(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if minor <= newest {
				old[name] = true
			} else if newer[name] == 0 || minor < newer[name] {
				newer[name] = minor
			}
		}
	}
	// A name is listed again when its type changes.
	for name := range old {
		delete(newer, name)
	}
	if latest <= newest || len(old) < 1000 || len(newer) < 1000 {
		t.Fatalf("%s holds %d old and %d new names up to Go 1.%d; the check would prove nothing", dir, len(old), len(newer), latest)
	}
	return newer
}

// readNames reads lines like
//
//	pkg os/exec, type Cmd struct, WaitDelay time.Duration #50436
//	pkg syscall (linux-amd64), const AF_ALG = 38
//	pkg time, method (Time) Compare(Time) int #50770
func readNames(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var (
		line   = regexp.MustCompile(`^pkg ([^ ,]+)(?: \(([a-z0-9-]+)\))?, (.*)$`)
		method = regexp.MustCompile(`^method \(\*?([A-Za-z0-9_]+)(?:\[[^]]*\])?\) ([A-Za-z0-9_]+)`)
		field  = regexp.MustCompile(`^type ([A-Za-z0-9_]+)(?:\[[^]]*\])? struct, ([A-Za-z0-9_]+) `)
		plain  = regexp.MustCompile(`^(?:func|type|var|const) ([A-Za-z0-9_]+)`)
		names  []string
	)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := line.FindStringSubmatch(lines.Text())
		if m == nil || m[2] != "" && !strings.HasPrefix(m[2], "linux") {
			continue
		}
		for _, kind := range []*regexp.Regexp{method, field, plain} {
			if n := kind.FindStringSubmatch(m[3]); n != nil {
				names = append(names, strings.Join(append([]string{m[1]}, n[1:]...), "."))
				break
			}
		}
	}
	return names, lines.Err()
}

// use is a use of a name that is too new.
type use struct {
	file  string
	line  int
	name  string
	minor int
}

func (u use) String() string {
	return fmt.Sprintf("%s:%d: %s came with Go 1.%d; guests are built with Go 1.%d", u.file, u.line, u.name, u.minor, newest)
}

// uses returns every use of a newer name in a package.
func (a api) uses(p *packages.Package) []use {
	var found []use
	report := func(at token.Pos, name string) {
		if minor, ok := a[name]; ok {
			where := p.Fset.Position(at)
			found = append(found, use{where.Filename, where.Line, name, minor})
		}
	}
	for id, object := range p.TypesInfo.Uses {
		if object.Pkg() == nil {
			continue
		}
		switch owner := receiver(object); {
		case isField(object):
			// A field does not know its struct. The selections below report fields.
		case owner != "":
			report(id.Pos(), object.Pkg().Path()+"."+owner+"."+object.Name())
		default:
			report(id.Pos(), object.Pkg().Path()+"."+object.Name())
		}
	}
	for selector, selection := range p.TypesInfo.Selections {
		if isField(selection.Obj()) {
			report(selector.Sel.Pos(), fieldName(selection.Recv(), selection.Obj()))
		}
	}
	for _, file := range p.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			for _, element := range literal.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok {
					if key, ok := pair.Key.(*ast.Ident); ok && isField(p.TypesInfo.Uses[key]) {
						report(key.Pos(), fieldName(p.TypesInfo.TypeOf(literal), p.TypesInfo.Uses[key]))
					}
				}
			}
			return true
		})
	}
	return found
}

func isField(object types.Object) bool {
	v, ok := object.(*types.Var)
	return ok && v.IsField()
}

// receiver returns the name of the type of a method, "" if object is not a method.
func receiver(object types.Object) string {
	f, ok := object.(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		return ""
	}
	return typeName(f.Signature().Recv().Type())
}

func fieldName(owner types.Type, field types.Object) string {
	return field.Pkg().Path() + "." + typeName(owner) + "." + field.Name()
}

func typeName(t types.Type) string {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	if named, ok := t.(*types.Named); ok {
		return named.Obj().Name()
	}
	return ""
}
